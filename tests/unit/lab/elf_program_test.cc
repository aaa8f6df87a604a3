#include "lab/elf_program.h"

#include <filesystem>
#include <gtest/gtest.h>

namespace mini::lab {
namespace {

constexpr Bytes kPage{4096};

TEST(ElfProgramTest, ATailIsAMappingOfItsOwnWhereItReachesANewPage) {
  LoadedSegment segment{.address = 0x3f00, .in_file = Bytes{0x80}, .in_memory = Bytes{0x100}};
  EXPECT_FALSE(segment.has_anonymous_tail(kPage)) << "the rest of the page is enough";
  segment.in_memory = Bytes{0x101};
  EXPECT_TRUE(segment.has_anonymous_tail(kPage));
  segment.in_file = segment.in_memory;
  EXPECT_FALSE(segment.has_anonymous_tail(kPage));
}

TEST(ElfProgramTest, ReadsThisProgram) {
  const auto program = read_elf_program("/proc/self/exe");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_GE(program->segments.size(), 2U);
  EXPECT_TRUE(program->interpreter.starts_with("/")) << program->interpreter;
  EXPECT_TRUE(symbol_address("/proc/self/exe", "main"));
  EXPECT_FALSE(symbol_address("/proc/self/exe", "no_such_symbol"));
}

TEST(ElfProgramTest, TheLoaderListsTheLibraries) {
  // To the loader, /proc/self/exe would be the loader.
  const auto libraries = libraries_of(std::filesystem::canonical("/proc/self/exe"));
  ASSERT_TRUE(libraries) << libraries.error().message;
  bool has_libc = false;
  for (const std::string& path : *libraries) has_libc |= path.find("libc.so") != path.npos;
  EXPECT_TRUE(has_libc);
}

TEST(ElfProgramTest, WhatIsNoProgramIsRefused) {
  EXPECT_FALSE(read_elf_program("/etc/passwd"));
  EXPECT_FALSE(read_elf_program("/nowhere"));
}

}  // namespace
}  // namespace mini::lab
