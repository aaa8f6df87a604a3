#include "explain/functions.h"

#include <gtest/gtest.h>

#include "explain/modules.h"
#include "story.h"

namespace mini::explain {
namespace {

TEST(FunctionsTest, DecorationsDoNotHideAFunction) {
  EXPECT_EQ(plain_name("__GI___libc_malloc"), "__libc_malloc");
  EXPECT_EQ(plain_name("printf@@GLIBC_2.2.5"), "printf");
  EXPECT_EQ(plain_name("_int_free.part.0"), "_int_free");
  EXPECT_EQ(plain_name("dl_main.cold"), "dl_main");
  EXPECT_EQ(plain_name("runtime.mmap"), "runtime.mmap");
  ASSERT_NE(find_function("__GI___libc_malloc"), nullptr);
  EXPECT_EQ(find_function("__GI___libc_malloc")->label, "malloc");
  EXPECT_EQ(find_function("_IO_file_doallocate")->label, "stdio buffer");
}

TEST(FunctionsTest, OnlyWholeNamesAreKnown) {
  EXPECT_EQ(find_function(""), nullptr);
  EXPECT_EQ(find_function("mallo"), nullptr);
  EXPECT_EQ(find_function("mallocate"), nullptr);
  EXPECT_EQ(find_function("zzz"), nullptr);
}

TEST(ModulesTest, AreKnownByTheirFilesNames) {
  const auto process = make_process();
  const auto kind = [&](std::string_view path) { return classify_module(path, process).kind; };
  EXPECT_EQ(kind("/opt/prog"), ModuleKind::kExecutable);
  EXPECT_EQ(kind("/usr/lib/libc.so.6"), ModuleKind::kLibc);
  EXPECT_EQ(kind("/lib/libc-2.31.so"), ModuleKind::kLibc);
  EXPECT_EQ(kind("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), ModuleKind::kLoader);
  EXPECT_EQ(kind("/etc/ld.so.cache"), ModuleKind::kLibrary) << "no loader";
  EXPECT_EQ(kind("/usr/lib/libcap.so.2"), ModuleKind::kLibrary);
  EXPECT_EQ(kind("/lib/ld-musl-x86_64.so.1"), ModuleKind::kMusl);
  EXPECT_EQ(kind("[vdso]"), ModuleKind::kKernel);
  EXPECT_EQ(kind(""), ModuleKind::kNone);
}

TEST(ModulesTest, EveryRuntimeAskedForIsRecognised) {
  const auto process = make_process();
  const auto runtime = [&](std::string_view path) {
    return classify_module(path, process).runtime;
  };
  EXPECT_EQ(runtime("/usr/lib/libjemalloc.so.2"), "jemalloc");
  EXPECT_EQ(runtime("/usr/lib/libtcmalloc_minimal.so.4"), "tcmalloc");
  EXPECT_EQ(runtime("/usr/lib/libmimalloc.so.2.0"), "mimalloc");
  EXPECT_EQ(runtime("/usr/lib/libminimalloc.so"), "minimalloc");
  EXPECT_EQ(runtime("/usr/lib/libsnmallocshim.so"), "snmalloc");
  EXPECT_EQ(runtime("/usr/lib/libnode.so.108"), "V8");
  EXPECT_EQ(runtime("/usr/lib/jvm/server/libjvm.so"), "HotSpot");
  EXPECT_EQ(runtime("/usr/bin/python3.11"), "CPython");
  EXPECT_EQ(runtime_of_function("runtime.sysAlloc"), "Go runtime");
  EXPECT_EQ(runtime_of_function("v8::base::OS::Allocate(void*, unsigned long)"), "V8");
  EXPECT_EQ(runtime_of_function("tcmalloc::PageHeap::New(unsigned long)"), "tcmalloc");
  EXPECT_EQ(runtime_of_function("_mi_os_alloc"), "mimalloc");
  EXPECT_EQ(runtime_of_function("mi_heap_malloc"), "mimalloc");
  EXPECT_EQ(runtime_of_function("mi_cmd_stack_list_frames(char const*, char const**, int)"), "");
  EXPECT_EQ(runtime_of_function("mi_rkey"), "");
  EXPECT_EQ(runtime_of_function("_PyObject_ArenaMmap"), "CPython");
  EXPECT_EQ(runtime_of_function("main"), "");
}

}  // namespace
}  // namespace mini::explain
