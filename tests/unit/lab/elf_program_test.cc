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

TEST(ElfProgramTest, APathInTheListMayHaveSpacesAndNoName) {
  const std::vector<std::string> libraries = {"/opt/a b/libg.so", "./libf.so", "/lib/libc.so.6"};
  EXPECT_EQ(listed_libraries("\tlinux-vdso.so.1 (0x00007f6a1680b000)\n"
                             "\tlibg.so => /opt/a b/libg.so (0x00007f6a167f9000)\n"
                             "\t./libf.so (0x00007f1377c68000)\n"
                             "\tlibc.so.6 => /lib/libc.so.6 (0x00007f6a1660b000)\n"
                             "\t/lib64/ld-linux-x86-64.so.2 (0x00007f6a1680d000)\n",
                             "/lib64/ld-linux-x86-64.so.2"),
            libraries);
}

TEST(ElfProgramTest, WhatIsNoProgramIsRefused) {
  EXPECT_FALSE(read_elf_program("/etc/passwd"));
  EXPECT_FALSE(read_elf_program("/nowhere"));
}

}  // namespace
}  // namespace mini::lab
