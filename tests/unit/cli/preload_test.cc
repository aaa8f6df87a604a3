#include "cli/preload.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <unistd.h>
#include <vector>

#include "support/temporary_folder.h"

namespace mini::cli {
namespace {

using testing::HasSubstr;
using testing::Optional;

std::optional<std::string> why_not(const std::string& path) {
  return why_not_preloaded(path, kMinimalloc);
}

class WhyNotPreloaded : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& contents) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << contents;
    return path;
  }

  /// The file that this program's malloc is in, by another name.
  std::string library(const std::string& name) {
    Dl_info place{};
    ::dladdr(::dlsym(RTLD_DEFAULT, "malloc"), &place);
    const std::string path = folder_ / name;
    std::filesystem::create_symlink(std::filesystem::absolute(place.dli_fname), path);
    return path;
  }

  /// An ELF program with the given loader; without a segment for it where that is null.
  static std::string elf(const char* loader) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
#if defined(__x86_64__)
    header.e_machine = EM_X86_64;
#else
    header.e_machine = EM_AARCH64;
#endif
    header.e_phoff = sizeof header;
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = loader == nullptr ? PT_LOAD : PT_INTERP;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = loader == nullptr ? 0 : std::strlen(loader) + 1;
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    if (loader != nullptr) bytes.append(loader, segment.p_filesz);
    return bytes;
  }

  test::TemporaryFolder folder_;
};

TEST_F(WhyNotPreloaded, NothingSpeaksAgainstADynamicProgram) {
  EXPECT_EQ(why_not(file("dynamic", elf("/lib64/ld-linux-x86-64.so.2"))), std::nullopt);
  EXPECT_EQ(why_not("/proc/self/exe"), std::nullopt);
}

TEST_F(WhyNotPreloaded, AStaticProgramHasNoLoader) {
  EXPECT_THAT(why_not(file("static", elf(nullptr))), Optional(HasSubstr("is statically linked")));
}

TEST_F(WhyNotPreloaded, TheLoaderAsAProgramLoadsLibraries) {
  EXPECT_EQ(why_not(file("ld-linux-x86-64.so.2", elf(nullptr))), std::nullopt);
}

TEST_F(WhyNotPreloaded, MuslIsAnotherCLibrary) {
  EXPECT_THAT(why_not(file("musl", elf("/lib/ld-musl-x86_64.so.1"))), Optional(HasSubstr("musl")));
  for (const char* loader : {"ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1", "libc.so"}) {
    EXPECT_THAT(why_not(file(loader, elf(nullptr))), Optional(HasSubstr("C library musl")));
  }
}

TEST_F(WhyNotPreloaded, OtherArchitecturesAreNamed) {
  std::string program = elf(nullptr);
  program[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(why_not(file("32", program)), Optional(HasSubstr("32-bit")));
  program[EI_CLASS] = ELFCLASS64;
  program[18] = EM_386;
  EXPECT_THAT(why_not(file("foreign", program)), Optional(HasSubstr("architecture")));
}

TEST_F(WhyNotPreloaded, AScriptIsWhatItsInterpreterIs) {
  const std::string interpreter = file("static", elf(nullptr));
  const std::string script = file("script", "#! " + interpreter + " -x\n");
  EXPECT_THAT(why_not(script),
              Optional(HasSubstr("is a script of " + interpreter + ", which is statically")));
  EXPECT_THAT(why_not(file("second", "#!" + script + "\n")),
              Optional(HasSubstr("is a script of " + interpreter)));
  EXPECT_EQ(why_not(file("shell", "#!/bin/sh\n")), std::nullopt);
  EXPECT_EQ(why_not(file("plain", "echo text without a first line for the kernel\n")),
            std::nullopt);
}

TEST_F(WhyNotPreloaded, AScriptOfItselfEnds) {
  const std::string path = folder_ / "circle";
  EXPECT_EQ(why_not(file("circle", "#!" + path + "\n")), std::nullopt);
}

TEST_F(WhyNotPreloaded, WhatCannotBeReadIsLeftToTheKernel) {
  EXPECT_EQ(why_not(folder_ / "nothing"), std::nullopt);
  EXPECT_EQ(why_not(file("empty", "")), std::nullopt);
  const std::string whole = elf("/lib64/ld-linux-x86-64.so.2");
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    why_not(file("cut", whole.substr(0, size)));
  }
  std::string wild = elf(nullptr);
  for (std::size_t i = EI_CLASS + 1; i < wild.size(); ++i) {
    if (i != 18 && i != 19) wild[i] = '\xff';
  }
  EXPECT_EQ(why_not(file("wild", wild)), std::nullopt);
}

TEST_F(WhyNotPreloaded, ASetUserIdProgramOfAnotherUserIsTrustedByNoEnvironment) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  const std::string path = file("set-user-id", elf("/lib64/ld-linux-x86-64.so.2"));
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  std::filesystem::permissions(path, std::filesystem::perms(04755));
  EXPECT_THAT(why_not(path), Optional(HasSubstr("set-user-ID")));
}

TEST(PreloadList, ComesAfterWhatIsThere) {
  EXPECT_EQ(preload_list(nullptr, "/a.so"), "/a.so");
  EXPECT_EQ(preload_list("", "/a.so"), "/a.so");
  EXPECT_EQ(preload_list("/b.so:/c.so", "/a.so"), "/b.so:/c.so:/a.so");
}

TEST_F(WhyNotPreloaded, RefusesPathsThatTheLoaderWouldCut) {
  for (const char* name :
       {"with space.so", "with:colon.so", "$LIB.so", "a$ORIGIN", "${PLATFORM}x"}) {
    const auto chosen = choose_preloaded_library(kMinimalloc, library(name));
    ASSERT_FALSE(chosen);
    EXPECT_THAT(chosen.error().message, HasSubstr("with --library"));
  }
  for (const char* name : {"plain.so", "with\ttab.so", "with\nnewline.so", "with;semicolon.so",
                           "$LIBRARY.so", "$", "$$x", "${LIB", "LIB"}) {
    EXPECT_TRUE(choose_preloaded_library(kMinimalloc, library(name))) << name;
  }
}

TEST_F(WhyNotPreloaded, RefusesALibraryWithoutMalloc) {
  for (const std::string& path : {file("empty", ""), std::string("/")}) {
    const auto chosen = choose_preloaded_library(kMinimalloc, path);
    ASSERT_FALSE(chosen) << path;
    EXPECT_THAT(chosen.error().message, HasSubstr("is not libminimalloc: without --library"));
  }
}

}  // namespace
}  // namespace mini::cli
