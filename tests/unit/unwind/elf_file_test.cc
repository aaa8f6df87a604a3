// Opening ELF files: whole ones, the wrong ones, and ones that somebody cut or changed.
#include "unwind/elf_file.h"

#include <cstring>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/temporary_folder.h"

namespace mini::unwind {
namespace {

const std::string kChain = MINI_UNWIND_TARGETS "/chain";

std::vector<std::byte> chain_bytes() {
  std::ifstream in(kChain, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::byte> bytes(chars.size());
  std::memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}

template <typename T>
void patch(std::vector<std::byte>* image, std::size_t offset, T value) {
  std::memcpy(image->data() + offset, &value, sizeof value);
}

TEST(ElfFile, OpensAProgram) {
  const auto file = ElfFile::open(kChain);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->build_id().size(), 20U);
  EXPECT_NE((*file)->section(".symtab"), nullptr);
  EXPECT_EQ((*file)->section(".no_such_section"), nullptr);
}

TEST(ElfFile, TakesOnlyTheFileThatIsMapped) {
  struct stat status{};
  ASSERT_EQ(stat(kChain.c_str(), &status), 0);
  EXPECT_TRUE(ElfFile::open(kChain, FileIdentity{status.st_dev, status.st_ino}));
  EXPECT_FALSE(ElfFile::open(kChain, FileIdentity{status.st_dev, status.st_ino + 1}));
}

TEST(ElfFile, RefusesWhatIsNoElfFile) {
  EXPECT_FALSE(ElfFile::open("/dev/zero"));
  EXPECT_FALSE(ElfFile::open("/etc/passwd"));
  EXPECT_FALSE(ElfFile::open("/"));
  EXPECT_FALSE(ElfFile::open("/no/such/file"));
  EXPECT_FALSE(ElfFile::from_memory({}));
}

// A device in a file's place may do something when it is opened. A socket in a file's place says
// whether it was: to open one is an error of its own.
TEST(ElfFile, DoesNotOpenWhatIsNoRegularFile) {
  const test::TemporaryFolder folder;
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = ""};
  const std::string path = folder / "socket";
  ASSERT_LT(path.size(), sizeof name.sun_path);
  path.copy(&name.sun_path[0], path.size());
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(server, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  const auto file = ElfFile::open(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message, path + " is not a regular file");
  EXPECT_EQ(file.error().error_number, 0);
  close(server);
}

TEST(ElfFile, RefusesEveryTruncation) {
  const std::vector<std::byte> whole = chain_bytes();
  ASSERT_TRUE(ElfFile::from_memory(whole));
  for (std::size_t size = 0; size < whole.size(); size += size < 256 ? 1 : 997) {
    EXPECT_FALSE(ElfFile::from_memory({whole.begin(), whole.begin() + static_cast<long>(size)}))
        << size;
  }
}

TEST(ElfFile, RefusesMalformedHeaders) {
  const std::vector<std::byte> whole = chain_bytes();
  const auto refused = [&](auto change) {
    std::vector<std::byte> image = whole;
    change(&image);
    return !ElfFile::from_memory(std::move(image));
  };
  EXPECT_TRUE(refused([](auto* i) { patch<std::uint8_t>(i, EI_CLASS, ELFCLASS32); }));
  EXPECT_TRUE(refused([](auto* i) { patch<std::uint8_t>(i, EI_DATA, ELFDATA2MSB); }));
  EXPECT_TRUE(
      refused([](auto* i) { patch<std::uint16_t>(i, offsetof(Elf64_Ehdr, e_machine), EM_386); }));
  EXPECT_TRUE(refused([](auto* i) {
    patch<std::uint64_t>(i, offsetof(Elf64_Ehdr, e_phoff), ~std::uint64_t{0} - 8);
  }));
  EXPECT_TRUE(refused([](auto* i) {
    patch<std::uint64_t>(i, offsetof(Elf64_Ehdr, e_shoff), ~std::uint64_t{0} - 7);
  }));
  EXPECT_TRUE(refused([](auto* i) { patch<std::uint16_t>(i, offsetof(Elf64_Ehdr, e_shnum), 0); }));
  EXPECT_TRUE(
      refused([](auto* i) { patch<std::uint16_t>(i, offsetof(Elf64_Ehdr, e_shentsize), 1); }));
  EXPECT_TRUE(
      refused([](auto* i) { patch<std::uint16_t>(i, offsetof(Elf64_Ehdr, e_shstrndx), 0xff00); }));
}

TEST(ElfFile, LoadBiasComesFromTheExecutableSegment) {
  const auto file = ElfFile::open(kChain);
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->load_bias(0x5555'0000'1000, 0x1000), 0x5555'0000'0000U);
  EXPECT_FALSE((*file)->load_bias(0x5555'0000'0000, std::uint64_t{1} << 40));
}

}  // namespace
}  // namespace mini::unwind
