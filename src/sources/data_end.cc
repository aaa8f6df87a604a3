#include "sources/data_end.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <elf.h>

#include "base/checked.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

/// Of the file that is mapped from `base` on. Its headers are in its first page, as linkers put
/// them.
std::optional<Address> data_end(const MemoryReader& memory, Address base) {
  std::array<std::byte, kPageBytes> page;
  if (memory.read(base, page) != page.size()) return std::nullopt;
  Elf64_Ehdr file;
  std::memcpy(&file, page.data(), sizeof file);
  if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_ident[EI_CLASS] != ELFCLASS64 ||
      file.e_phentsize != sizeof(Elf64_Phdr)) {
    return std::nullopt;
  }
  std::optional<std::uint64_t> first;  // where the first segment begins, as the file counts
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < file.e_phnum; ++i) {
    const auto at = checked_add(file.e_phoff, i * sizeof(Elf64_Phdr));
    if (!at || *at > page.size() - sizeof(Elf64_Phdr)) return std::nullopt;
    Elf64_Phdr header;
    std::memcpy(&header, page.data() + *at, sizeof header);
    if (header.p_type != PT_LOAD) continue;
    if (!first) first = header.p_vaddr / kPageBytes * kPageBytes;
    const auto segment_end = checked_add(header.p_vaddr, header.p_memsz);
    if (!segment_end) return std::nullopt;
    end = std::max(end, *segment_end);
  }
  const auto rounded = checked_round_up(Bytes{end}, Bytes{kPageBytes});
  if (!first || !rounded || rounded->count < *first) return std::nullopt;
  const auto address = checked_add(base.value, rounded->count - *first);
  return address ? std::optional(Address{*address}) : std::nullopt;
}

}  // namespace

void DataEnds::pass(model::Mapping& mapping) {
  if (!mapping.path.starts_with('/') || mapping.shared) return;
  if (mapping.file_offset == 0 && !mapping.protection.write) {
    path_ = mapping.path;
    base_ = mapping.range.begin;
    end_.reset();
  }
  if (!mapping.protection.write || mapping.path != path_) return;
  if (!end_) end_ = data_end(memory_, base_);
  mapping.data_end = end_.value_or(Address{});
}

}  // namespace mini::sources
