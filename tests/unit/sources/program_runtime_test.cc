// Notes as a linker leaves them, and as a liar does.
#include "sources/program_runtime.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>
#include <span>
#include <string_view>
#include <vector>

namespace mini::sources {
namespace {

constexpr Address kImage{0x5000};
constexpr std::uint64_t kNotesOffset = 0x100;

class Image final : public MemoryReader {
 public:
  Image() : bytes_(0x200) {}

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from < kImage || from >= kImage + Bytes{bytes_.size()}) return 0;
    const auto offset = (from - kImage).count;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

  void headers(std::uint64_t notes_size) {
    const Elf64_Phdr list[] = {{.p_type = PT_PHDR,
                                .p_flags = PF_R,
                                .p_offset = 0,
                                .p_vaddr = 0x40,
                                .p_paddr = 0,
                                .p_filesz = 0,
                                .p_memsz = 0,
                                .p_align = 8},
                               {.p_type = PT_NOTE,
                                .p_flags = PF_R,
                                .p_offset = 0,
                                .p_vaddr = 0x40 + kNotesOffset,
                                .p_paddr = 0,
                                .p_filesz = notes_size,
                                .p_memsz = notes_size,
                                .p_align = 4}};
    std::memcpy(bytes_.data(), list, sizeof list);
  }

  void note(std::string_view owner, std::uint32_t owner_size, std::uint32_t text_size) {
    const Elf64_Nhdr header{.n_namesz = owner_size, .n_descsz = text_size, .n_type = 4};
    std::memcpy(bytes_.data() + at_, &header, sizeof header);
    std::memcpy(bytes_.data() + at_ + sizeof header, owner.data(), owner.size());
    at_ += sizeof header + (owner.size() + 3) / 4 * 4 + (text_size + 3) / 4 * 4;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t at_ = kNotesOffset;
};

TEST(ProgramRuntimeTest, GoIsFoundBehindAnotherNote) {
  Image image;
  image.headers(0x60);
  image.note(std::string_view("GNU\0", 4), 4, 20);
  image.note(std::string_view("Go\0\0", 4), 4, 8);
  EXPECT_EQ(find_runtime(image, kImage, 2), "Go runtime");
}

TEST(ProgramRuntimeTest, OtherNotesSayNothing) {
  Image image;
  image.headers(0x60);
  image.note(std::string_view("GNU\0", 4), 4, 20);
  EXPECT_EQ(find_runtime(image, kImage, 2), "");
}

TEST(ProgramRuntimeTest, SizesThatLeadOutOfTheNotesEndTheSearch) {
  for (const std::uint32_t size : {0x55U, 0xfffffffdU, 0xffffffffU}) {
    Image image;
    image.headers(0x60);
    image.note(std::string_view("Go\0", 3), size, size);
    EXPECT_EQ(find_runtime(image, kImage, 2), "") << size;
  }
}

TEST(ProgramRuntimeTest, UnreadableHeadersSayNothing) {
  const Image image;
  EXPECT_EQ(find_runtime(image, Address{0x10}, 2), "");
  EXPECT_EQ(find_runtime(image, kImage, ~std::uint64_t{0}), "");
}

}  // namespace
}  // namespace mini::sources
