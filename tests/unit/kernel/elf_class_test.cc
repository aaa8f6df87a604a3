#include "kernel/elf_class.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace mini::kernel {
namespace {

FileKind classify_text(const std::string& text) {
  return classify(std::as_bytes(std::span(text)));
}

std::string elf_header(unsigned char elf_class, std::uint16_t machine) {
  std::string header(20, '\0');
  header.replace(0, SELFMAG, ELFMAG);
  header[EI_CLASS] = static_cast<char>(elf_class);
  header[18] = static_cast<char>(machine & 0xff);
  header[19] = static_cast<char>(machine >> 8);
  return header;
}

TEST(ElfClass, TellsThisProgramFromOthers) {
  EXPECT_EQ(classify_process(::getpid()), FileKind::kNative);
  EXPECT_EQ(classify_file("/proc/self/exe"), FileKind::kNative);
  EXPECT_EQ(classify_file("/etc/passwd"), FileKind::kOther);
  EXPECT_EQ(classify_file("/no/such/file"), FileKind::kUnreadable);
}

TEST(ElfClass, TellsKindsByTheFirstBytes) {
  EXPECT_EQ(classify_text("#!/bin/sh\n"), FileKind::kScript);
  EXPECT_EQ(classify_text(elf_header(ELFCLASS32, EM_386)), FileKind::kElf32);
  EXPECT_EQ(classify_text(elf_header(ELFCLASS64, EM_S390)), FileKind::kForeign);
}

TEST(ElfClass, TruncatedHeadersAreNotPrograms) {
  EXPECT_EQ(classify_text(""), FileKind::kOther);
  EXPECT_EQ(classify_text("#"), FileKind::kOther);
  EXPECT_EQ(classify_text(elf_header(ELFCLASS32, EM_386).substr(0, 19)), FileKind::kOther);
}

}  // namespace
}  // namespace mini::kernel
