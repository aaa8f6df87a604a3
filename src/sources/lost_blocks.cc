#include "sources/lost_blocks.h"

#include <algorithm>
#include <map>

#include "base/address_ranges.h"
#include "heaps/glibc_layout.h"
#include "sources/content_hint.h"
#include "sources/leak_roots.h"

namespace mini::sources {
namespace {

using model::Inspection;

std::vector<kernel::MapsEntry> maps_of(const Inspection& inspection) {
  std::vector<kernel::MapsEntry> maps;
  for (const model::MemoryRegion& region : inspection.regions) {
    const model::Mapping& mapping = region.mapping;
    kernel::MapsEntry entry{.range = mapping.range,
                            .read = mapping.protection.read,
                            .write = mapping.protection.write,
                            .execute = mapping.protection.execute,
                            .shared = mapping.shared,
                            .file_offset = mapping.file_offset,
                            .path = mapping.path};
    // A core has no names for what is not a file.
    if (region.stack_of == inspection.pid && entry.path.empty()) entry.path = "[stack]";
    maps.push_back(std::move(entry));
  }
  return maps;
}

void gather(const MemoryReader& memory, const Inspection& inspection,
            const std::vector<heaps::LiveRange>& blocks, const heaps::Reachability& found,
            model::LostBlocks& lost) {
  ContentHinter hinter(memory, inspection);
  std::map<std::pair<Bytes, std::string>, model::LostGroup> groups;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (found.of_block[i] == heaps::Reach::kReachable) continue;
    const bool is_indirect = found.of_block[i] == heaps::Reach::kLostIndirectly;
    const Bytes size{blocks[i].bytes};
    const std::string type(hinter.type_of({blocks[i].begin}));
    model::LostGroup& group = groups[{size, type}];
    const bool is_first = group.direct + group.indirect == 0;
    if (is_first || (!is_indirect && group.direct == 0)) group.example = {blocks[i].begin};
    group.block_size = size;
    group.type = type;
    ++(is_indirect ? group.indirect : group.direct);
    ++(is_indirect ? lost.indirect : lost.direct);
    lost.size += size;
  }
  for (auto& [key, group] : groups) lost.groups.push_back(std::move(group));
  std::ranges::stable_sort(lost.groups, std::ranges::greater(), &model::LostGroup::size);
}

}  // namespace

std::vector<heaps::LiveRange> LiveBlockList::take_blocks() {
  std::ranges::sort(blocks_, {}, &heaps::LiveRange::begin);
  return std::move(blocks_);
}

std::vector<AddressRange> LiveBlockList::take_regions() {
  return merged(std::move(regions_));
}

model::LostBlocks find_lost_blocks(const MemoryReader& memory, const Inspection& inspection,
                                   LiveBlockList& list,
                                   const std::optional<std::vector<AddressRange>>& present) {
  model::LostBlocks lost;
  const std::vector<heaps::LiveRange> blocks = list.take_blocks();
  const std::vector<kernel::MapsEntry> maps = maps_of(inspection);
  const bool is_sound = inspection.heap && inspection.heap->damages_count == 0;
  RootFacts facts{.maps = maps,
                  .blocks = blocks,
                  .stack_pointers = {},
                  .registers = {},
                  .excluded = is_sound ? list.take_regions() : std::vector<AddressRange>{},
                  .has_all_blocks = is_sound};
  // malloc's own lists lead to free chunks, and a free chunk's address can be that of the end of a
  // live block before it.
  if (inspection.heap && inspection.heap->allocator == "glibc") {
    const Address arena = inspection.heap->arenas.front().address;
    exclude({{arena, arena + heaps::kLargestState}}, facts);
  }
  for (const model::InspectedThread& thread : inspection.threads) {
    if (thread.stack_pointer) facts.stack_pointers.push_back(thread.stack_pointer->value);
    if (thread.thread_pointer) facts.thread_pointers.push_back(thread.thread_pointer->value);
    lost.has_registers = lost.has_registers && !thread.registers.empty();
    facts.registers.insert(facts.registers.end(), thread.registers.begin(), thread.registers.end());
  }
  lost.has_registers = lost.has_registers && !inspection.threads.empty();
  exclude(ended_stacks(memory, facts), facts);
  heaps::RootSet roots = find_roots(facts);
  if (present) roots.ranges = intersection(merged(std::move(roots.ranges)), *present);
  const heaps::Reachability found = heaps::find_reachable(memory, blocks, roots);
  lost.searched = {found.scanned_bytes};
  lost.unreadable = {found.unreadable_bytes};
  lost.blocks = blocks.size();
  gather(memory, inspection, blocks, found, lost);
  return lost;
}

}  // namespace mini::sources
