// ELF headers as a linker leaves them, and as a liar does.
#include "sources/data_end.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mini::sources {
namespace {

constexpr Address kBase{0x7f00'0000'0000};
constexpr char kLibrary[] = "/usr/lib/libx.so";

/// The first page of a file with two segments: code of one page, and data that end at 0x3010 in
/// memory.
class FirstPage final : public MemoryReader {
 public:
  FirstPage() : bytes_(4096) {
    std::memcpy(file.e_ident, ELFMAG, SELFMAG);
    file.e_ident[EI_CLASS] = ELFCLASS64;
    file.e_phoff = sizeof file;
    file.e_phnum = 2;
    file.e_phentsize = sizeof(Elf64_Phdr);
    for (Elf64_Phdr& segment : segments) segment.p_type = PT_LOAD;
    segments[0].p_memsz = 0x1000;
    segments[1].p_offset = 0x1800;
    segments[1].p_vaddr = 0x2800;
    segments[1].p_memsz = 0x810;
  }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from < kBase || from >= kBase + Bytes{bytes_.size()}) return 0;
    std::vector<std::byte> page = bytes_;
    std::memcpy(page.data(), &file, sizeof file);
    std::memcpy(page.data() + sizeof file, segments, sizeof segments);
    const auto offset = (from - kBase).count;
    const std::size_t count = std::min<std::size_t>(out.size(), page.size() - offset);
    std::memcpy(out.data(), page.data() + offset, count);
    return count;
  }

  Elf64_Ehdr file{};
  Elf64_Phdr segments[2] = {};

 private:
  std::vector<std::byte> bytes_;
};

model::Mapping mapping(Bytes offset, bool write, std::string path) {
  model::Mapping made;
  made.range = {kBase + offset, kBase + offset + Bytes{0x1000}};
  made.protection = {.read = true, .write = write, .execute = false};
  made.file_offset = offset.count;
  made.path = std::move(path);
  return made;
}

/// Of the library's mapping that may be written.
Address data_end_by(const FirstPage& page) {
  DataEnds ends(page);
  model::Mapping code = mapping(Bytes{0}, false, kLibrary);
  model::Mapping data = mapping(Bytes{0x2000}, true, kLibrary);
  ends.pass(code);
  ends.pass(data);
  EXPECT_EQ(code.data_end, Address{});
  return data.data_end;
}

TEST(DataEnds, AreWhereTheLastSegmentsPageEnds) {
  EXPECT_EQ(data_end_by({}), kBase + Bytes{0x4000});
}

TEST(DataEnds, OfAProgramThatIsLinkedToAnAddressToo) {
  FirstPage page;
  for (Elf64_Phdr& segment : page.segments) segment.p_vaddr += 0x40'0000;
  EXPECT_EQ(data_end_by(page), kBase + Bytes{0x4000});
}

TEST(DataEnds, AreNotKnownWhereTheHeadersMakeNoSense) {
  const auto spoilt = [](auto&& spoil) {
    FirstPage page;
    spoil(page);
    return data_end_by(page);
  };
  EXPECT_EQ(spoilt([](FirstPage& page) { page.file.e_ident[0] = 0; }), Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) { page.file.e_ident[EI_CLASS] = ELFCLASS32; }), Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) { page.file.e_phentsize = 1; }), Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) { page.file.e_phoff = ~std::uint64_t{0} - 8; }), Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) { page.file.e_phnum = 0xffff; }), Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) { page.segments[1].p_memsz = ~std::uint64_t{0}; }),
            Address{});
  EXPECT_EQ(spoilt([](FirstPage& page) {
              for (Elf64_Phdr& segment : page.segments) segment.p_type = PT_NULL;
            }),
            Address{});
}

TEST(DataEnds, OfAnotherFileAreNotTakenOver) {
  const FirstPage page;
  DataEnds ends(page);
  model::Mapping code = mapping(Bytes{0}, false, kLibrary);
  model::Mapping data = mapping(Bytes{0x2000}, true, "/tmp/database");
  ends.pass(code);
  ends.pass(data);
  EXPECT_EQ(data.data_end, Address{});
}

}  // namespace
}  // namespace mini::sources
