// What the heap profile builder does at few events: those that take back what others said, those of
// blocks that do not count, and those before the time that is reported on.
#include <algorithm>
#include <bit>
#include <utility>

#include "sources/heap_profile_builder.h"

namespace mini::sources {

/// An allocation or a free before the time that is reported on.
void HeapProfileBuilder::happened_before(const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  if (event.is_free) {
    uncounted_freed(event, block);
  } else if (event.kind < recording::CallKind::kPool || !change(event)) {
    block = {.time_ns = now_ns_, .stack = kBefore};
  }
}

/// A free of what counts nowhere, or of what is not known.
void HeapProfileBuilder::uncounted_freed(const recording::HeapEvent& event, LiveBlock& block) {
  const bool is_known = !block.is_none();
  LastFree& last = thread_state_->last_free;
  last.address = event.address;
  last.block = block;
  last.time_ns = now_ns_;
  last.was = {.live = is_known};
  thread_state_->newest.stack = 0;
  if (!is_known) {
    if (const auto inherited = inherited_.take(event.address)) {
      last.block = *inherited;
      last.was.inherited = true;
    }
  }
  const bool is_pool_memory = is_known && block.stack == kPoolMemory;
  block.set_none();
  if (part_ == Part::kBefore || is_pool_memory) return;
  last.was.counted = true;
  ++profile_.free_events;
  if (!last.was.inherited) ++profile_.losses.frees_not_seen;
}

/// The block that was freed last had to go for its thread's newest one, of the same stack.
void HeapProfileBuilder::make_room(LastFree& last, std::uint64_t newest_bytes) {
  RareCounter& rare = stacks_.rare_of(stacks_[last.block.stack]);
  last.was.made_room = true;
  last.was.outgrown = newest_bytes > last.block.bytes;
  rare.made_room[static_cast<std::size_t>(last.was.outgrown)] += last.block.amount();
}

/// It had not.
void HeapProfileBuilder::take_back_room(LastFree& last) {
  if (!last.was.made_room) return;
  RareCounter& rare = stacks_.rare_of(stacks_[last.block.stack]);
  rare.made_room[static_cast<std::size_t>(last.was.outgrown)] -= last.block.amount();
  last.was.made_room = false;
}

/// Whether an event tells of what became of a block, and not of a new one.
bool HeapProfileBuilder::change(const recording::HeapEvent& event) {
  if (event.kind == recording::CallKind::kRestored) return restored(event);
  if (!recording::is_pool_memory(event.kind, event.address)) return false;
  become_pool_memory(event);
  return true;
}

/// Takes the last free of this thread back. False: it is not known, or of another block.
bool HeapProfileBuilder::restored(const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  if (!block.is_none()) return true;  // its free was lost
  LastFree& last_free = thread_state_->last_free;
  if (last_free.address != event.address) return false;
  LastFree last = std::exchange(last_free, {});
  take_back_room(last);
  if (last.was.live) block = last.block;
  if (last.was.inherited) inherited_.put_back(event.address, last.block);
  if (!last.was.counted) return true;
  --profile_.free_events;
  if (last.was.live && counts(last.block)) {
    count_again(last);
  } else if (!last.was.inherited) {
    --profile_.losses.frees_not_seen;
  }
  return true;
}

/// The inverse of what freed() counted.
void HeapProfileBuilder::count_again(const LastFree& last) {
  const LiveBlock& block = last.block;
  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  const model::Amount amount = block.amount();
  last_allocation_.address = kNoAddress;
  const bool is_new_maximum = add_live(amount, stack, cell);
  const std::uint64_t lifetime_ns = last.time_ns - block.time_ns;
  lifetimes_[static_cast<std::size_t>(std::bit_width(lifetime_ns))] -= amount;
  stack.held_byte_ns -= to_double(block.bytes) * to_double(lifetime_ns);
  for (HeapCounter* counter : {&stack, &cell}) {
    counter->gone -= amount;
    counter->lifetime_ns -= to_double(lifetime_ns) * to_double(amount.blocks);
    if (last.was.temporary) counter->temporary -= amount;
  }
  if (cell.owner != thread_) thread_states_[cell.owner].frees_by_others -= amount.blocks;
  if (block.has_usable_size) usable_.small_restored(block.bytes, epoch_, is_new_maximum);
  const Forgotten forgotten = last.was.elsewhere ? last.forgotten : Forgotten{};
  if (const std::uint64_t usable_bytes = forgotten.large_usable_bytes; usable_bytes != 0) {
    usable_.large_restored(
        last.address, {.bytes = block.bytes, .usable_bytes = usable_bytes, .stack = block.stack},
        epoch_, is_new_maximum);
  }
  if (touch_.is_used()) {
    touch_.allocated(last.address, forgotten.touched_bytes, stack.owner, event_thread_);
  }
}

/// It is as though the program had not asked for the block: what the pool gives out of it counts.
void HeapProfileBuilder::become_pool_memory(const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  if (!block.is_none() && counts(block)) uncount(event.address, block);
  block = {.time_ns = now_ns_, .stack = kPoolMemory};
}

/// Where something was allocated or freed since the block was, the peak stays as it was.
void HeapProfileBuilder::uncount(Address address, const LiveBlock& block) {
  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  const model::Amount amount = block.amount();
  const bool is_last = last_allocation_.address == address;
  const bool is_maximum = is_last && last_allocation_.is_maximum;
  if (is_maximum) {
    take_back_peak();
  } else {
    keep(stack);
    keep(cell);
  }
  if (is_last) timeline_.taken_back(live_.bytes, amount.bytes);
  live_ -= amount;
  for (HeapCounter* counter : {&stack, &cell}) {
    counter->allocated -= amount;
    counter->resized = std::min(counter->resized, counter->allocated.blocks);
  }
  if (is_last && profile_.is_estimate) {
    for (double* variance :
         {&stacks_.rare_of(stack).allocated_variance, &cells_.rare_of(cell).allocated_variance}) {
      *variance = std::max(*variance - last_allocation_.variance, 0.0);
    }
  }
  if (block.has_usable_size) {
    usable_.small_uncounted(block.bytes, epoch_, is_maximum);
  } else if (!UsableSizeCounter::is_small(block.bytes) && block.blocks == 1) {
    usable_.large_uncounted(address, epoch_, is_maximum);
  }
  if (touch_.is_used()) touch_.freed(address);
  --profile_.allocation_events;
  last_allocation_.address = kNoAddress;
}

/// K1 and K2 hold for the maximum before: no counter was kept since the last one began its epoch.
void HeapProfileBuilder::take_back_peak() {
  --epoch_;
  peak_ = last_allocation_.peak_before;
  if (sampled_peak_ns_ == profile_.peak_time_ns) sampled_peak_ns_ = last_allocation_.peak_before_ns;
  profile_.peak_time_ns = last_allocation_.peak_before_ns;
}

}  // namespace mini::sources
