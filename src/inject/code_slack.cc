// The kernel maps whole pages: behind the end of a segment it maps whatever the file has there,
// which no address of the program refers to.
#include "inject/code_slack.h"

#include <algorithm>
#include <elf.h>
#include <vector>

#include "base/checked.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"

namespace mini::inject {
namespace {

constexpr std::size_t kMostHeaders = 64;

/// Where the code of the segment ends that `mapping` is the end of, by the headers of its module.
std::optional<Address> end_of_code(const kernel::MapsEntry& head, const kernel::MapsEntry& mapping,
                                   const MemoryReader& memory) {
  const auto header = memory.read_object<Elf64_Ehdr>(head.range.begin);
  if (!header || header->e_ident[EI_MAG0] != ELFMAG0 || header->e_phnum > kMostHeaders ||
      header->e_phoff > kernel::page_size().count) {
    return std::nullopt;
  }
  std::vector<Elf64_Phdr> segments(header->e_phnum);
  const auto bytes = std::as_writable_bytes(std::span(segments));
  if (memory.read(head.range.begin + Bytes{header->e_phoff}, bytes) != bytes.size()) {
    return std::nullopt;
  }
  const std::uint64_t page = kernel::page_size().count;
  std::optional<std::uint64_t> bias;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD) continue;
    if (!bias) bias = head.range.begin.value - (segment.p_vaddr & ~(page - 1));
    const auto end = checked_add(segment.p_vaddr, segment.p_memsz);
    if ((segment.p_flags & PF_X) == 0 || !end) continue;
    const Address last{*end + *bias};
    if (last <= mapping.range.end && mapping.range.end - last < Bytes{page}) return last;
  }
  return std::nullopt;
}

bool begins_with(Address at, std::span<const std::byte> bytes, const MemoryReader& memory) {
  std::vector<std::byte> found(bytes.size());
  return memory.read(at, found) == found.size() && std::ranges::equal(found, bytes);
}

}  // namespace

std::optional<Address> find_code_slack(pid_t pid, Bytes bytes,
                                       std::span<const std::byte> left_behind,
                                       const MemoryReader& memory) {
  std::optional<Address> used;
  const auto maps = kernel::read_maps(pid);
  if (!maps) return std::nullopt;
  const kernel::MapsEntry* head = nullptr;
  for (const kernel::MapsEntry& mapping : *maps) {
    if (mapping.inode == 0) continue;
    if (mapping.file_offset == 0) head = &mapping;
    if (head == nullptr || !mapping.execute || head->inode != mapping.inode) continue;
    const auto end = end_of_code(*head, mapping, memory);
    const auto aligned = end ? checked_round_up(Bytes{end->value}, kSlackAlignment) : std::nullopt;
    if (!aligned) continue;
    const auto range = checked_range(Address{aligned->count}, bytes);
    if (!range || range->end > mapping.range.end) continue;
    if (!begins_with(range->begin, left_behind, memory)) return range->begin;
    if (!used) used = range->begin;
  }
  return used;
}

}  // namespace mini::inject
