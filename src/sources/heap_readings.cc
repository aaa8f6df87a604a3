#include "sources/heap_readings.h"

#include <algorithm>
#include <iterator>

#include "heaps/glibc_layout.h"

namespace mini::sources {
namespace {

constexpr std::uint32_t kProof = 5;  // sightings of one place

/// Whether the arena that an address is in, or about, is one that no thread was changing. A process
/// of one thread takes no locks.
bool is_unlocked(const model::Heap& heap, Address where,
                 std::span<const model::InspectedThread> threads) {
  if (threads.size() < 2) return false;
  for (const model::HeapArena& arena : heap.arenas) {
    const AddressRange state{arena.address, arena.address + heaps::kLargestState};
    const bool is_there =
        state.contains(where) || std::ranges::any_of(arena.regions, [where](AddressRange region) {
          return region.contains(where);
        });
    if (is_there) return heap.allocator == "glibc" && !arena.is_locked;
  }
  return false;
}

bool differs(const model::HeapCounter& counter) {
  return counter.counted != counter.found;
}

}  // namespace

bool has_damage_at_rest(const model::Heap& heap, std::span<const model::InspectedThread> threads) {
  return std::ranges::any_of(heap.damages, [&](const model::HeapDamage& damage) {
    return is_unlocked(heap, damage.where, threads);
  });
}

HeapReadings::Place HeapReadings::place_of(const model::HeapDamage& damage) {
  return {damage.where, damage.field, damage.found};
}

HeapReadings::Place HeapReadings::place_of(const model::HeapCounter& counter) {
  return {Address{}, counter.name, std::to_string(counter.counted - counter.found)};
}

HeapReadings::Seen& HeapReadings::note(const Place& place) {
  Seen& seen = seen_[place];
  if (seen.last == count_) return seen;
  if (seen.times == 0) {
    seen.code = code_;
  } else {
    std::vector<std::uint64_t> common;
    std::ranges::set_intersection(seen.code, code_, std::back_inserter(common));
    seen.code = std::move(common);
  }
  ++seen.times;
  seen.last = count_;
  return seen;
}

void HeapReadings::add(const model::Heap& heap, std::span<const model::InspectedThread> threads) {
  const bool is_moving_blocks = heap.caches_not_found != 0 && !heap.counters.empty();
  is_clean_ =
      heap.damages_count == 0 && !is_moving_blocks && std::ranges::none_of(heap.counters, differs);
  is_new_ = heap.counters.empty() && heap.damages_count == heap.damages.size() &&
            std::ranges::all_of(heap.damages, &model::HeapDamage::is_unwritten);
  std::vector<std::uint64_t> code;
  std::map<std::int64_t, std::vector<std::uint64_t>> registers;
  for (const model::InspectedThread& thread : threads) {
    if (thread.waits) continue;
    code.push_back(thread.code.value_or(Address{}).value);
    registers.emplace(thread.id, thread.registers);
  }
  waits_ = registers.empty() && !threads.empty();
  if (count_ != 0 && registers == registers_) return;
  ++count_;
  std::ranges::sort(code);
  code_ = std::move(code);
  registers_ = std::move(registers);
  for (const model::HeapDamage& damage : heap.damages) {
    Seen& seen = note(place_of(damage));
    seen.was_unlocked |= is_unlocked(heap, damage.where, threads);
  }
  for (const model::HeapCounter& counter : heap.counters) {
    if (differs(counter)) note(place_of(counter));
  }
}

/// Damage may be hidden once by what is in motion.
bool HeapReadings::is_often(const Seen& seen) const {
  return seen.times + (count_ > 2 ? 1 : 0) >= count_;
}

// Counters differ by like amounts easily: only if they always do, that is no chance.
bool HeapReadings::has_proven() const {
  return std::ranges::any_of(seen_, [this](const auto& entry) {
    const auto& [place, seen] = entry;
    return seen.last == count_ && is_often(seen) &&
           seen.times >= (is_counter(place) ? kMost : kProof) &&
           (seen.was_unlocked || seen.code.empty());
  });
}

bool HeapReadings::has_suspects() const {
  return std::ranges::any_of(seen_, [this](const auto& entry) { return is_often(entry.second); });
}

bool HeapReadings::is_settled() const {
  return is_clean_ || waits_ || has_proven() || (is_new_ && !has_suspects());
}

bool HeapReadings::is_kept(const model::HeapDamage& damage) const {
  const auto entry = seen_.find(place_of(damage));
  return entry != seen_.end() && is_often(entry->second);
}

bool HeapReadings::was_always(const model::HeapCounter& counter) const {
  const auto entry = seen_.find(place_of(counter));
  return entry != seen_.end() && entry->second.times == count_;
}

void HeapReadings::conclude(model::Inspection& inspection) const {
  if (is_clean_ || waits_ || !inspection.heap) return;
  inspection.may_be_motion = !has_proven();
  if (count_ == 1) return;
  model::Heap& heap = *inspection.heap;
  const std::uint64_t gone =
      std::erase_if(heap.damages, [this](const auto& damage) { return !is_kept(damage); });
  // Those that are only counted go where all others went.
  const std::uint64_t dropped = heap.damages.empty() ? heap.damages_count : gone;
  heap.damages_count -= dropped;
  if (!is_new_) inspection.places_in_motion = dropped;  // else all figures are right
  for (model::HeapCounter& counter : heap.counters) {
    counter.in_motion = differs(counter) && !was_always(counter);
    if (counter.in_motion) ++inspection.places_in_motion;
  }
}

}  // namespace mini::sources
