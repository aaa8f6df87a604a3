// Finding one mapping in the kernel's list.
#include "kernel/vm/own_mappings.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace mini::kernel::vm {
namespace {

constexpr std::string_view kList =
    "55d0c0000000-55d0c0001000 r--p 00000000 08:01 1234                       /usr/bin/a b\n"
    "55d0c0001000-55d0c0003000 r-xp 00001000 08:01 1234                       /usr/bin/a b\n"
    "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

MappingSearch search(std::uintptr_t address, std::size_t piece_bytes) {
  MappingSearch search(address);
  for (std::size_t at = 0; at < kList.size(); at += piece_bytes) {
    const std::string_view piece = kList.substr(at, piece_bytes);
    if (search.take({piece.data(), piece.size()})) break;
  }
  return search;
}

TEST(OwnMappingsTest, InPiecesOfAnySize) {
  for (std::size_t piece_bytes = 1; piece_bytes < 100; ++piece_bytes) {
    const MappingSearch code = search(0x55d0c0002fff, piece_bytes);
    ASSERT_TRUE(code.found());
    EXPECT_EQ(code.mapping().begin, 0x55d0c0001000U);
    EXPECT_EQ(code.mapping().end, 0x55d0c0003000U);
    EXPECT_EQ(code.mapping().previous_end, 0x55d0c0001000U);
    EXPECT_TRUE(code.mapping().executable);
    EXPECT_FALSE(code.mapping().is_main_stack);
  }
}

TEST(OwnMappingsTest, TheStackByItsName) {
  const MappingSearch stack = search(0x7ffc00000000, 4096);
  ASSERT_TRUE(stack.found());
  EXPECT_TRUE(stack.mapping().is_main_stack);
  EXPECT_TRUE(stack.mapping().readable);
  EXPECT_FALSE(stack.mapping().executable);
  EXPECT_EQ(stack.mapping().previous_end, 0x7f0000001000U);
}

TEST(OwnMappingsTest, Gaps) {
  for (const std::uintptr_t address :
       {std::uintptr_t{0}, std::uintptr_t{0x55d0c0003000}, ~std::uintptr_t{0}}) {
    EXPECT_FALSE(search(address, 4096).found()) << address;
  }
  EXPECT_FALSE(search(0x7f0000000010, 4096).mapping().readable);
}

TEST(OwnMappingsTest, NamesThatAreLongerThanTheBuffer) {
  const std::string text = "1000-2000 r--p 00000000 00:00 0 " + std::string(5000, 'x') +
                           " [stack]\n3000-4000 rw-p 00000000 00:00 0 \n";
  MappingSearch search(0x3000);
  EXPECT_TRUE(search.take({text.data(), text.size()}));
  ASSERT_TRUE(search.found());
  EXPECT_EQ(search.mapping().previous_end, 0x2000U);
}

TEST(OwnMappingsTest, OfThisProcess) {
  constexpr std::size_t kBytes = 4096;
  void* const page = mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  char buffer[100];
  OwnMapping mapping;
  const auto address = reinterpret_cast<std::uintptr_t>(page);
  ASSERT_TRUE(find_own_mapping(address, buffer, &mapping));
  EXPECT_LE(mapping.begin, address);
  EXPECT_LT(address, mapping.end);
  EXPECT_TRUE(mapping.readable);
  munmap(page, kBytes);
  EXPECT_FALSE(find_own_mapping(address, buffer, &mapping));
}

TEST(OwnMappingsTest, TheFileOfAMapping) {
  char program[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", &program[0], sizeof program - 1), 0);
  char path[4096];
  const std::size_t bytes = find_own_file(reinterpret_cast<std::uintptr_t>(&search), path);
  EXPECT_EQ(std::string(&path[0], bytes), &program[0]);
  EXPECT_EQ(find_own_file(reinterpret_cast<std::uintptr_t>(&path[0]), path), 0U);
  char small[8];
  EXPECT_EQ(find_own_file(reinterpret_cast<std::uintptr_t>(&search), small), 0U);
}

}  // namespace
}  // namespace mini::kernel::vm
