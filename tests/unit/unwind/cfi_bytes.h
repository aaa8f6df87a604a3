// Makes call frame information, right and wrong, and ELF files that hold nothing else.
#pragma once

#include <cstdint>
#include <cstring>
#include <elf.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "unwind/cfi_section.h"

namespace mini::unwind {

using CfiBytes = std::vector<std::uint8_t>;

template <typename T>
void append(CfiBytes& bytes, T value) {
  bytes.resize(bytes.size() + sizeof value);
  std::memcpy(bytes.data() + bytes.size() - sizeof value, &value, sizeof value);
}

inline void append(CfiBytes& bytes, const CfiBytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// Where the section seems to be, and the code that its entries describe.
constexpr std::uint64_t kCfiAddress = 0x2000;
constexpr std::uint64_t kCode = 0x10000;

// CFA = rsp + 8; return address at CFA - 8.
inline const CfiBytes kCommonInstructions = {0x0c, 7, 8, 0x90, 1};
// DW_CFA_def_cfa_offset.
inline CfiBytes cfa_offset(std::uint8_t offset) {
  return {0x0e, offset};
}

struct CommonOptions {
  std::uint8_t version = 1;
  std::string augmentation = "zR";
  CfiBytes augmentation_data = {0x1b};  // pc-relative, four bytes, signed
  CfiBytes instructions = kCommonInstructions;
};

/// A section that is built entry by entry; places are offsets in it.
class CfiBuilder {
 public:
  explicit CfiBuilder(CfiSection::Kind kind = CfiSection::Kind::kEhFrame, bool is_64 = false)
      : kind_(kind), is_64_(is_64) {}

  std::size_t add_common(const CommonOptions& options = {}) {
    CfiBytes content;
    append(content, options.version);
    for (const char letter : options.augmentation) append(content, letter);
    append(content, '\0');
    if (options.version == 4) append(content, CfiBytes{8, 0});  // of addresses, of segments
    append(content, CfiBytes{1, 0x78, 16});                     // alignments 1 and -8
    if (options.augmentation.starts_with('z')) {
      append(content, static_cast<std::uint8_t>(options.augmentation_data.size()));
      append(content, options.augmentation_data);
    }
    append(content, options.instructions);
    return add(is_debug_frame() ? ~std::uint64_t{0} : 0, content);
  }

  /// With addresses as the options above say.
  void add_frame(std::size_t common, std::uint64_t begin, std::uint32_t size,
                 const CfiBytes& instructions) {
    CfiBytes content;
    append(content, static_cast<std::uint32_t>(begin - kCfiAddress - bytes_.size() - 8));
    append(content, size);
    append(content, std::uint8_t{0});  // bytes of augmentation data
    append(content, instructions);
    add_with_common(common, content);
  }

  void add_with_common(std::size_t common, const CfiBytes& content) {
    add(is_debug_frame() ? common : bytes_.size() + 4 - common, content);
  }

  /// An entry without its length: the number that says what it is, and its content.
  std::size_t add(std::uint64_t id, const CfiBytes& content) {
    const std::size_t at = bytes_.size();
    const bool is_long = is_64_ && is_debug_frame();
    if (is_64_) append(bytes_, std::uint32_t{0xffffffff});
    const std::size_t length = content.size() + (is_long ? 8 : 4);
    is_64_ ? append(bytes_, std::uint64_t{length})
           : append(bytes_, static_cast<std::uint32_t>(length));
    is_long ? append(bytes_, id) : append(bytes_, static_cast<std::uint32_t>(id));
    append(bytes_, content);
    return at;
  }

  const CfiBytes& bytes() const { return bytes_; }

 private:
  bool is_debug_frame() const { return kind_ == CfiSection::Kind::kDebugFrame; }

  CfiSection::Kind kind_;
  bool is_64_;
  CfiBytes bytes_;
};

inline CfiSection section_of(const CfiBytes& bytes,
                             CfiSection::Kind kind = CfiSection::Kind::kEhFrame) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return {kind, {begin, begin + bytes.size()}, kCfiAddress, 0};
}

/// A library with one section besides that of the names, or with none and a .eh_frame_hdr in its
/// place that says where .eh_frame is: at its own end.
class CfiImage {
 public:
  static std::vector<std::byte> with_section(std::string_view name, const CfiBytes& bytes) {
    const std::string names = std::string(1, '\0') + std::string(name) + '\0';
    Elf64_Shdr sections[3] = {};
    sections[1] = {.sh_name = 1,
                   .sh_type = SHT_PROGBITS,
                   .sh_flags = 0,
                   .sh_addr = kCfiAddress,
                   .sh_offset = kContent,
                   .sh_size = bytes.size(),
                   .sh_link = 0,
                   .sh_info = 0,
                   .sh_addralign = 1,
                   .sh_entsize = 0};
    sections[2] = sections[1];
    sections[2].sh_name = 0;
    sections[2].sh_type = SHT_STRTAB;
    sections[2].sh_offset = kContent + bytes.size();
    sections[2].sh_size = names.size();
    CfiBytes content = bytes;
    append(content, CfiBytes(names.begin(), names.end()));
    while (content.size() % 8 != 0) content.push_back(0);
    Elf64_Ehdr header = header_with(0);
    header.e_shoff = kContent + content.size();
    header.e_shnum = 3;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shstrndx = 2;
    for (const Elf64_Shdr& section : sections) append(content, section);
    return image(header, content);
  }

  static std::vector<std::byte> without_sections(const CfiBytes& eh_frame) {
    // Its table has a thousand million pairs, says its length.
    CfiBytes content = {1, 0x1b, 0x03, 0x3b, 8, 0, 0, 0, 0, 0xca, 0x9a, 0x3b};
    append(content, eh_frame);
    return image(header_with(2), content);
  }

 private:
  static constexpr std::size_t kContent = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  static constexpr std::uint64_t kHeaderBytes = 12;  // of .eh_frame_hdr

  static Elf64_Ehdr header_with(std::uint16_t segments_count) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_entry = kCode;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_phnum = segments_count;
    header.e_phentsize = segments_count == 0 ? std::uint16_t{0} : sizeof(Elf64_Phdr);
    return header;
  }

  static std::vector<std::byte> image(const Elf64_Ehdr& header, const CfiBytes& content) {
    Elf64_Phdr segments[2] = {};
    segments[0].p_type = PT_LOAD;
    segments[0].p_flags = PF_R;
    segments[0].p_offset = kContent;
    segments[0].p_vaddr = kCfiAddress - kHeaderBytes;
    segments[0].p_filesz = segments[0].p_memsz = content.size();
    segments[1] = segments[0];
    segments[1].p_type = PT_GNU_EH_FRAME;
    segments[1].p_filesz = segments[1].p_memsz = kHeaderBytes;
    CfiBytes all;
    append(all, header);
    for (const Elf64_Phdr& segment : segments) append(all, segment);
    append(all, content);
    std::vector<std::byte> bytes(all.size());
    std::memcpy(bytes.data(), all.data(), all.size());
    return bytes;
  }
};

}  // namespace mini::unwind
