// The C library's names made to lead elsewhere, as the loader finds them afterwards.
#include "kernel/vm/redirect.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

namespace mini::kernel::vm {
namespace {

long first(const char*) {
  return 1;
}
long second(const char*) {
  return 2;
}

const void* address(long (*function)(const char*)) {
  return reinterpret_cast<const void*>(function);
}

std::vector<std::string> writable_mappings_of_libc() {
  std::vector<std::string> mappings;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const bool is_writable = line.find(" rw") != std::string::npos;
    if (is_writable && line.find("/libc.so.6") != std::string::npos) mappings.push_back(line);
  }
  return mappings;
}

TEST(RedirectTest, TheLoaderFindsWhatTheFirstOneSaid) {
  void* const libc = ::dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  void* const strtoul_before = ::dlsym(libc, "strtoul");
  ASSERT_EQ(::a64l("."), 0);  // bound by now
  const std::vector<std::string> before = writable_mappings_of_libc();
  ASSERT_FALSE(before.empty());

  const Redirection mine[] = {
      {"a64l", first}, {"strtoul", static_cast<void*>(nullptr)}, {"mini_that_nobody_has", first}};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { redirect_libc(mine, std::size(mine)); });
  for (std::thread& thread : threads) thread.join();
  const Redirection late[] = {{"a64l", second}, {"l64a", second}};
  redirect_libc(late, std::size(late));

  EXPECT_EQ(::dlsym(libc, "a64l"), address(first));
  EXPECT_EQ(::dlsym(libc, "strtoul"), strtoul_before);
  EXPECT_NE(::dlsym(libc, "l64a"), address(second));
  EXPECT_EQ(::a64l("."), 0);
  EXPECT_EQ(writable_mappings_of_libc(), before);
  ::dlclose(libc);
}

}  // namespace
}  // namespace mini::kernel::vm
