// The sections of an ELF file that hold call frame information, and the pointers in them (LSB core,
// "DWARF Extensions" and "Exception Frames").
#include "unwind/cfi_section.h"

#include <algorithm>
#include <gelf.h>

#include "base/eh_pointer.h"

namespace mini::unwind {
namespace {

// The largest programs have a tenth of it.
constexpr std::uint64_t kLargestSection = std::uint64_t{256} << 20;
// Without sections the last byte is not known either, and the rest of a segment is read.
constexpr std::uint64_t kLargestSectionless = std::uint64_t{32} << 20;

ByteRange range_of(const Elf_Data* data) {
  if (data == nullptr || data->d_buf == nullptr) return {};
  const auto begin = reinterpret_cast<std::uintptr_t>(data->d_buf);
  return {begin, begin + data->d_size};
}

ByteRange bytes_at(const ElfFile& file, std::uint64_t offset, std::uint64_t size) {
  if (offset >= file.size_bytes()) return {};
  size = std::min({size, file.size_bytes() - offset, kLargestSection});
  return range_of(
      elf_getdata_rawchunk(file.elf(), static_cast<std::int64_t>(offset), size, ELF_T_BYTE));
}

std::optional<GElf_Phdr> eh_frame_header(const ElfFile& file) {
  std::size_t count = 0;
  if (elf_getphdrnum(file.elf(), &count) != 0) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(file.elf(), static_cast<int>(i), &header) != nullptr &&
        header.p_type == PT_GNU_EH_FRAME)
      return header;
  }
  return std::nullopt;
}

/// Of .eh_frame_hdr only what it says of where .eh_frame begins; not its table, which may lack what
/// .eh_frame has.
std::optional<CfiSection> find_by_segments(const ElfFile& file, const GElf_Phdr& header) {
  CfiSection section;
  section.bytes = bytes_at(file, header.p_offset, header.p_filesz);
  section.address = section.header_address = header.p_vaddr;
  ByteCursor bytes(section.bytes);
  const auto version = bytes.take<std::uint8_t>();
  const auto encoding = bytes.take<std::uint8_t>();
  bytes.skip(2);  // how the table and its length are written
  std::uint64_t address = 0;
  if (version != 1 || !take_pointer(bytes, encoding, section, &address)) return std::nullopt;
  section.address = address;
  for (const Segment& segment : file.segments()) {
    const std::uint64_t offset = address - segment.address;
    if (address < segment.address || offset >= segment.file_size) continue;
    section.bytes = bytes_at(file, segment.file_offset + offset, segment.file_size - offset);
    return section;
  }
  return std::nullopt;
}

}  // namespace

std::optional<CfiSection> find_eh_frame(const ElfFile& file) {
  const auto header = eh_frame_header(file);
  Elf_Scn* const found = file.section(".eh_frame");
  if (found == nullptr) {
    const bool by_segments = file.has_no_sections() && file.size_bytes() <= kLargestSectionless;
    return by_segments && header ? find_by_segments(file, *header) : std::nullopt;
  }
  GElf_Shdr shape;
  if (gelf_getshdr(found, &shape) == nullptr || shape.sh_size > kLargestSection ||
      (shape.sh_flags & SHF_COMPRESSED) != 0) {
    return std::nullopt;
  }
  CfiSection section;
  section.bytes = range_of(elf_rawdata(found, nullptr));
  section.address = shape.sh_addr;
  section.header_address = header ? header->p_vaddr : 0;
  return section;
}

std::optional<CfiSection> find_debug_frame(ElfFile& file) {
  Elf_Scn* const found = file.section(".debug_frame");
  if (found == nullptr) return std::nullopt;
  CfiSection section;
  section.kind = CfiSection::Kind::kDebugFrame;
  section.bytes = range_of(file.unpacked_section(found, kLargestSection));
  return section;
}

bool take_pointer(ByteCursor& bytes, std::uint8_t encoding, const CfiSection& section,
                  std::uint64_t* pointer) {
  const std::uint64_t here = section.address + (bytes.at() - section.bytes.begin);
  return take_eh_pointer(bytes, encoding, {.here = here, .data = section.header_address}, pointer);
}

}  // namespace mini::unwind
