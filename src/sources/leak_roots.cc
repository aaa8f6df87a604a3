#include "sources/leak_roots.h"

#include <algorithm>

namespace mini::sources {
namespace {

using kernel::MapsEntry;

// Below the stack pointer, a function that calls nothing may use this much (System V ABI, x86-64;
// on others there is none, and a little more does no harm).
constexpr std::uint64_t kRedZoneBytes = 128;
// Where glibc's arenas but the first begin (malloc/arena.c, HEAP_MAX_SIZE on 64 bits).
constexpr std::uint64_t kArenaAlignment = std::uint64_t{64} << 20U;

/// Ranges in order, cut where something else is.
class Ranges {
 public:
  explicit Ranges(AddressRange whole) : parts_{whole} {}

  void remove(AddressRange hole) {
    std::vector<AddressRange> left;
    for (const AddressRange& part : parts_) {
      if (!part.overlaps(hole)) {
        left.push_back(part);
        continue;
      }
      if (part.begin < hole.begin) left.push_back({part.begin, hole.begin});
      if (hole.end < part.end) left.push_back({hole.end, part.end});
    }
    parts_ = std::move(left);
  }
  const std::vector<AddressRange>& parts() const { return parts_; }

 private:
  std::vector<AddressRange> parts_;
};

std::uint64_t end_of(const heaps::LiveRange& block) {
  return block.begin + std::min(block.bytes, UINT64_MAX - block.begin);
}

std::span<const heaps::LiveRange> blocks_within(std::span<const heaps::LiveRange> blocks,
                                                AddressRange range) {
  const auto first =
      std::ranges::lower_bound(blocks, range.begin.value, {}, &heaps::LiveRange::begin);
  const auto last = std::ranges::lower_bound(blocks, range.end.value, {}, &heaps::LiveRange::begin);
  return {first, last};
}

bool is_arena(const MapsEntry& entry, bool has_blocks) {
  const bool is_aligned = entry.range.begin.value % kArenaAlignment == 0;
  return entry.path == "[heap]" || (has_blocks && entry.path.empty() && is_aligned);
}

/// Appends what of `part` is in no block.
void add_between(AddressRange part, std::span<const heaps::LiveRange> blocks,
                 std::vector<AddressRange>& out) {
  std::uint64_t at = part.begin.value;
  for (const heaps::LiveRange& block : blocks_within(blocks, part)) {
    if (block.begin > at) out.push_back({Address{at}, Address{block.begin}});
    at = std::max(at, std::min(end_of(block), part.end.value));
  }
  if (at < part.end.value) out.push_back({Address{at}, part.end});
}

/// The part of a stack's mapping that is not in use, if there is a guard below the mapping to tell
/// that it is one stack's alone.
AddressRange unused_stack(const RootFacts& facts, std::size_t entry) {
  const MapsEntry& stack = facts.maps[entry];
  const AddressRange none{stack.range.begin, stack.range.begin};
  const bool is_main = stack.path == "[stack]";
  const MapsEntry* const below = entry == 0 ? nullptr : &facts.maps[entry - 1];
  const bool has_guard =
      below != nullptr && below->range.end == stack.range.begin && !below->read && !below->write;
  if (!is_main && !has_guard) return none;
  std::uint64_t lowest = UINT64_MAX;
  for (const std::uint64_t pointer : facts.stack_pointers) {
    if (stack.range.contains(Address{pointer})) lowest = std::min(lowest, pointer);
  }
  if (lowest == UINT64_MAX || lowest - stack.range.begin.value < kRedZoneBytes) return none;
  return {stack.range.begin, Address{lowest - kRedZoneBytes}};
}

/// Whether the process wrote there before it took itself the right to: anonymous memory, and what
/// the loader protects of a writable segment once it is relocated (RELRO), which is the part of the
/// file right before the one that stays writable.
bool was_writable(const RootFacts& facts, std::size_t number) {
  const MapsEntry& entry = facts.maps[number];
  if (entry.execute) return false;
  if (entry.path.empty() || entry.path.starts_with("[anon:")) return true;
  if (number + 1 == facts.maps.size()) return false;
  const MapsEntry& next = facts.maps[number + 1];
  return next.write && !next.shared && next.path == entry.path &&
         next.range.begin == entry.range.end &&
         next.file_offset == entry.file_offset + entry.range.size().count;
}

void add_entry(const RootFacts& facts, std::size_t number, std::vector<AddressRange>& out) {
  const MapsEntry& entry = facts.maps[number];
  if (!entry.read || entry.shared) return;
  if (!entry.write && !was_writable(facts, number)) return;
  const bool has_blocks = !blocks_within(facts.blocks, entry.range).empty();
  if (is_arena(entry, has_blocks) && facts.has_all_blocks) return;
  Ranges ranges(entry.range);
  ranges.remove(unused_stack(facts, number));
  const auto& excluded = facts.excluded;
  auto next = std::ranges::upper_bound(excluded, entry.range.begin, {}, &AddressRange::end);
  for (; next != excluded.end() && next->begin < entry.range.end; ++next) ranges.remove(*next);
  for (const AddressRange& part : ranges.parts()) add_between(part, facts.blocks, out);
}

/// A block that a thread has its stack in: what is in use of it.
void add_stack_in_block(const RootFacts& facts, std::uint64_t pointer,
                        std::vector<AddressRange>& out) {
  const auto after = std::ranges::upper_bound(facts.blocks, pointer, {}, &heaps::LiveRange::begin);
  if (after == facts.blocks.begin()) return;
  const heaps::LiveRange& block = *(after - 1);
  if (pointer >= end_of(block)) return;
  const std::uint64_t used = std::min(pointer - block.begin, kRedZoneBytes);
  out.push_back({Address{pointer - used}, Address{end_of(block)}});
}

}  // namespace

heaps::RootSet find_roots(const RootFacts& facts) {
  heaps::RootSet roots;
  roots.words = facts.registers;
  for (std::size_t i = 0; i < facts.maps.size(); ++i) add_entry(facts, i, roots.ranges);
  for (const std::uint64_t pointer : facts.stack_pointers) {
    add_stack_in_block(facts, pointer, roots.ranges);
  }
  return roots;
}

}  // namespace mini::sources
