#include "sources/leak_roots.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/address_ranges.h"

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

/// Whether there is a guard below the mapping to tell that it is one stack's alone.
bool has_guard(std::span<const MapsEntry> maps, std::size_t entry) {
  const MapsEntry* const below = entry == 0 ? nullptr : &maps[entry - 1];
  return below != nullptr && below->range.end == maps[entry].range.begin && !below->read &&
         !below->write;
}

/// The part of a stack's mapping that is not in use.
AddressRange unused_stack(const RootFacts& facts, std::size_t entry) {
  const MapsEntry& stack = facts.maps[entry];
  const AddressRange none{stack.range.begin, stack.range.begin};
  if (stack.path != "[stack]" && !has_guard(facts.maps, entry)) return none;
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

/// The record of the thread whose stack `mapping` is, if it has ended: glibc's struct pthread.
std::optional<Address> ended_thread(const MemoryReader& memory, AddressRange mapping) {
#if defined(__x86_64__)
  // glibc's nptl/descr.h, 2.31 to 2.43. At its begin and two words on is its own address. The
  // kernel clears `tid` at the thread's end, and glibc sets it to -1 where it keeps the stack.
  constexpr Bytes kLargestRecord{4096};
  constexpr Bytes kSelf{16};
  constexpr Bytes kTid{0x2d0};
  constexpr std::uint64_t kAlignment = 64;
  if (mapping.size() < kLargestRecord) return std::nullopt;
  for (Address at = mapping.end - kLargestRecord; at + kTid < mapping.end;
       at = at + Bytes{kAlignment}) {
    if (memory.read_object<std::uint64_t>(at) != at.value ||
        memory.read_object<std::uint64_t>(at + kSelf) != at.value) {
      continue;
    }
    const auto tid = memory.read_object<std::int32_t>(at + kTid);
    return tid && *tid <= 0 ? std::optional(at) : std::nullopt;
  }
#else
  // Nothing in the record says where it begins.
  static_cast<void>(memory);
  static_cast<void>(mapping);
#endif
  return std::nullopt;
}

}  // namespace

void exclude(const std::vector<AddressRange>& ranges, RootFacts& facts) {
  facts.excluded.insert(facts.excluded.end(), ranges.begin(), ranges.end());
  facts.excluded = merged(std::move(facts.excluded));
}

std::vector<AddressRange> ended_stacks(const MemoryReader& memory, const RootFacts& facts) {
  std::vector<AddressRange> stacks;
  for (std::size_t i = 0; i < facts.maps.size(); ++i) {
    const AddressRange mapping = facts.maps[i].range;
    if (!facts.maps[i].write || facts.maps[i].shared || !has_guard(facts.maps, i)) continue;
    const auto is_inside = [&](std::uint64_t pointer) {
      return mapping.contains(Address{pointer});
    };
    if (std::ranges::any_of(facts.stack_pointers, is_inside) ||
        std::ranges::any_of(facts.thread_pointers, is_inside)) {
      continue;
    }
    if (const auto record = ended_thread(memory, mapping))
      stacks.push_back({mapping.begin, *record});
  }
  return stacks;
}

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
