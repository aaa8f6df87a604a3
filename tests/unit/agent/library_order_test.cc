// Functions found in the order of libraries, as the loader finds them.
#include "agent/library_order.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

extern "C" int mini_in_a_sysv_library();
extern "C" int mini_indirect_function();
extern "C" __attribute__((visibility("default"))) int mini_in_the_program();
int mini_in_the_program() {
  return 1;
}

namespace mini::agent {
namespace {

// What the agent stands before, some of it with several versions, and some that libraries have not.
TEST(LibraryOrderTest, FindsWhatTheLoaderFinds) {
  for (const char* const name :
       {"malloc",         "free",    "reallocarray", "aligned_alloc", "pvalloc",
        "free_sized",     "dlclose", "mmap",         "mremap",        "sbrk",
        "execve",         "execvpe", "execveat",     "posix_spawn",   "posix_spawnp",
        "popen",          "_Znwm",   "_ZdlPvm",      "memcpy",        "strlen",
        "pthread_create", "regexec", "realpath",     "glob",          "mini_in_a_sysv_library"}) {
    EXPECT_EQ(next_function(name), dlsym(RTLD_NEXT, name)) << name;
  }
}

TEST(LibraryOrderTest, AsksAnIndirectFunctionWhereItLeads) {
  auto* const found = reinterpret_cast<int (*)()>(next_function("mini_indirect_function"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found(), mini_indirect_function());
  EXPECT_EQ(reinterpret_cast<void*>(found), dlsym(RTLD_NEXT, "mini_indirect_function"));
}

TEST(LibraryOrderTest, LibrariesWithTheOldTableAreFoundIn) {
  ASSERT_EQ(mini_in_a_sysv_library(), 7);
  EXPECT_NE(next_function("mini_in_a_sysv_library"), nullptr);
}

TEST(LibraryOrderTest, WhatNobodyHasIsNotFound) {
  EXPECT_EQ(next_function("mini_that_nobody_has"), nullptr);
  EXPECT_EQ(next_function(""), nullptr);
}

TEST(LibraryOrderTest, TheProgramComesBeforeAllAndIsNotBehind) {
  EXPECT_TRUE(program_has_function("mini_in_the_program"));
  EXPECT_EQ(next_function("mini_in_the_program"), nullptr);
  EXPECT_FALSE(program_has_function("mini_in_a_sysv_library"));
}

}  // namespace
}  // namespace mini::agent
