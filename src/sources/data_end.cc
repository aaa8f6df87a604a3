#include "sources/data_end.h"

#include <algorithm>

#include "base/checked.h"
#include "base/elf_image.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

/// Of the file that is mapped from `base` on.
std::optional<Address> data_end(const MemoryReader& memory, Address base) {
  const auto file = read_elf_image(memory, base);
  if (!file) return std::nullopt;
  std::uint64_t end = 0;  // as the file counts
  for (const Elf64_Phdr& segment : file->segments) {
    if (segment.p_type != PT_LOAD) continue;
    const auto segment_end = checked_add(segment.p_vaddr, segment.p_memsz);
    if (!segment_end) return std::nullopt;
    end = std::max(end, *segment_end);
  }
  const auto rounded = checked_round_up(Bytes{end}, Bytes{kPageBytes});
  if (end == 0 || !rounded) return std::nullopt;
  const Address address{file->bias + rounded->count};
  return address > base ? std::optional(address) : std::nullopt;
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
