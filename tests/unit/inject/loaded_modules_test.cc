#include "inject/loaded_modules.h"

#include <algorithm>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kernel/process_memory.h"

namespace mini::inject {
namespace {

TEST(LoadedModulesTest, ListsThoseOfThisProcess) {
  const kernel::ProcessMemory memory(::getpid());
  const auto list = LoaderList::find(::getpid(), memory, "");
  ASSERT_TRUE(list) << list.error().message;
  const auto modules = list->read(memory);
  ASSERT_FALSE(modules.empty());
  EXPECT_EQ(modules.front().path, "");
  void* const handle = ::dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  const Address link_map{reinterpret_cast<std::uint64_t>(handle)};
  EXPECT_EQ(std::ranges::count(modules, link_map, &LoadedModule::link_map), 1);
  ::dlclose(handle);
}

TEST(LoadedModulesTest, AnEntryThatSaysSomethingElseIsNoMoreThere) {
  const kernel::ProcessMemory memory(::getpid());
  const auto list = LoaderList::find(::getpid(), memory, "");
  ASSERT_TRUE(list);
  const std::vector<LoadedModule> modules = list->read(memory);
  ASSERT_GT(modules.size(), 1U);
  EXPECT_TRUE(is_still_loaded(modules[1], memory));
  LoadedModule other = modules[1];
  other.bias += 4096;
  EXPECT_FALSE(is_still_loaded(other, memory));
  other = modules[1];
  other.link_map = modules[0].link_map;
  EXPECT_FALSE(is_still_loaded(other, memory));
  other.link_map = Address{16};
  EXPECT_FALSE(is_still_loaded(other, memory));
}

TEST(LoadedModulesTest, AProcessThatIsGoneHasNone) {
  constexpr pid_t kNobody = 0x3fff'ffff;
  EXPECT_FALSE(LoaderList::find(kNobody, kernel::ProcessMemory(kNobody), ""));
}

}  // namespace
}  // namespace mini::inject
