// Strings that libdw hands out, checked to end inside the section they are in.
#include "unwind/section_strings.h"

#include <cstring>
#include <functional>
#include <gelf.h>
#include <libelf.h>

namespace mini::unwind {
namespace {

bool is_string_section(std::string_view name) {
  return name.ends_with("debug_str") || name.ends_with("debug_line_str");  // .zdebug_* too
}

}  // namespace

SectionStrings::SectionStrings(Dwarf* dwarf, Dwarf* supplementary) {
  add(dwarf);
  if (supplementary != nullptr) add(supplementary);
}

void SectionStrings::add(Dwarf* dwarf) {
  Elf* elf = dwarf_getelf(dwarf);
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    // libdw takes a section for what its name says, whatever its type and flags are.
    const bool holds_strings = name != nullptr && is_string_section(name);
    const bool is_unloaded = header.sh_type == SHT_PROGBITS && (header.sh_flags & SHF_ALLOC) == 0;
    if (!holds_strings && !is_unloaded) continue;
    // What libdw itself has read, decompressed by now.
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr || data->d_size == 0) continue;
    sections_.emplace_back(static_cast<const char*>(data->d_buf), data->d_size);
    if (holds_strings && sections_.back().back() != '\0') string_sections_end_ = false;
  }
}

std::optional<std::string_view> SectionStrings::text(const char* string) const {
  if (string == nullptr) return std::nullopt;
  for (const std::span<const char> section : sections_) {
    const char* end = section.data() + section.size();
    if (std::less<>()(string, section.data()) || !std::less<>()(string, end)) continue;
    const auto room = static_cast<std::size_t>(end - string);
    const void* terminator = std::memchr(string, '\0', room);
    if (terminator == nullptr) return std::nullopt;
    return std::string_view(
        string, static_cast<std::size_t>(static_cast<const char*>(terminator) - string));
  }
  return std::nullopt;
}

}  // namespace mini::unwind
