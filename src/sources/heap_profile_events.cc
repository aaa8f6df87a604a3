// What the heap profile builder does at each allocation and free: what a report of a long recording
// spends its time with.
#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "sources/heap_profile_builder.h"

namespace mini::sources {
namespace {

/// Exact below 2^63; a conversion of all values takes a branch more.
double to_double(std::uint64_t number) {
  return static_cast<double>(static_cast<std::int64_t>(number));
}

model::Amount amount_of(const LiveBlock& block) {
  return {.blocks = block.blocks, .bytes = block.bytes};
}

std::uint64_t size_of(const recording::HeapEvent& event) {
  return std::min(event.requested_bytes, recording::kMostBlockBytes);
}

/// A number of [0, 1), the same for each reading of a recording: by the golden ratio, neighbours in
/// memory are spread evenly.
double share_of(Address address) {
  constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15U;
  return static_cast<double>(address.value * kGolden >> 11U) * 0x1p-53;
}

}  // namespace

void HeapProfileBuilder::pass_to(std::uint64_t time_ns) {
  event_ns_ = time_ns;
  if (span_.ends_before(time_ns)) {
    part_ = Part::kAfter;
    return;
  }
  now_ns_ = std::clamp(time_ns, now_ns_, LiveBlocks::kMostTimeNs);
  part_ = now_ns_ < span_.from_ns ? Part::kBefore : Part::kWithin;
}

void HeapProfileBuilder::switch_to(recording::ThreadNumber number) {
  event_thread_ = number;
  thread_ = threads_.find(number);
  thread_state_ = &thread_states_[thread_];
}

std::uint32_t HeapProfileBuilder::new_stack_counter(std::uint32_t node) {
  const std::uint32_t number = stacks_.add();
  stacks_[number].owner = node;
  stacks_[number].first_ns = now_ns_;
  return number;
}

/// That of a stack's part, where stacks are divided.
std::uint32_t HeapProfileBuilder::part_counter(std::uint32_t node, std::size_t size_range) {
  const bool is_by_size = profile_.division == model::StackDivision::kSize;
  const std::uint32_t part = is_by_size ? static_cast<std::uint32_t>(size_range) : thread_;
  std::uint32_t& counter = counter_of_part_[std::uint64_t{node} << 32U | part];
  if (counter == 0) {
    counter = new_stack_counter(node);
    stacks_[counter].part = part;
  }
  return counter;
}

// What every event runs through is declared inline: in position-independent code the compiler would
// otherwise make calls of it.

inline std::uint32_t HeapProfileBuilder::stack_counter(recording::StackNumber number,
                                                       std::size_t size_range) {
  const std::uint32_t node = nodes_.find(number);
  if (node == 0) [[unlikely]]
    ++profile_.losses.unknown_stacks;
  if (profile_.division != model::StackDivision::kNone) [[unlikely]]
    return part_counter(node, size_range);
  const std::uint32_t counter = counter_of_node_[node];
  return counter != 0 ? counter : counter_of_node_[node] = new_stack_counter(node);
}

/// Of the current thread.
std::uint32_t HeapProfileBuilder::new_cell(std::size_t size_range) {
  Thread& thread = *thread_state_;
  if (std::ranges::max(thread.cells) == 0) thread.first_ns = now_ns_;
  const std::uint32_t number = cells_.add();
  cells_[number].owner = thread_;
  cells_[number].part = static_cast<std::uint32_t>(size_range);
  return thread.cells[size_range] = number;
}

/// The blocks that a sampled one stands for are rarely a whole number: what is left over goes into
/// the stack's next one, so that sums of whole numbers stay true in the long run. The first one of
/// a stack is rounded by chance: many stacks have no other.
model::Amount HeapProfileBuilder::stands_for(const recording::HeapEvent& event,
                                             HeapCounter& stack) {
  const std::uint64_t weight = std::min(event.weight_bytes, recording::kMostBlockBytes);
  constexpr double kMost = LiveBlocks::kMostBlocks;
  double& carry = stacks_.rare_of(stack).carry;
  if (carry < 0) carry = share_of(event.address);
  const double exact =
      static_cast<double>(weight) / static_cast<double>(std::max<std::uint64_t>(size_of(event), 1));
  const double blocks = std::clamp(std::floor(exact + carry), 1.0, kMost);
  carry = std::clamp(exact + carry - blocks, 0.0, 1.0);
  return {.blocks = static_cast<std::uint64_t>(blocks), .bytes = weight};
}

/// See BlockTotals: the probability with which a block was recorded is its size by its weight.
void HeapProfileBuilder::count_variance(const recording::HeapEvent& event, HeapCounter& stack,
                                        HeapCounter& cell) {
  profile_.is_estimate = true;
  const auto weight = static_cast<double>(event.weight_bytes);
  const auto size = static_cast<double>(size_of(event));
  const double variance = weight * weight * std::max(0.0, 1 - size / weight);
  stacks_.rare_of(stack).allocated_variance += variance;
  cells_.rare_of(cell).allocated_variance += variance;
  last_allocation_.variance = variance;
}

/// K1, before a counter changes that is not part of a new maximum.
inline void HeapProfileBuilder::keep(HeapCounter& counter) const {
  if (counter.epoch == epoch_) return;
  counter.saved = counter.live();
  counter.epoch = epoch_;
}

/// Whether what is live is a new maximum: then it is the peak. Blocks of no bytes are one too,
/// while there are no others.
inline bool HeapProfileBuilder::rises_to_peak() {
  if (live_.bytes <= peak_.bytes && (peak_.bytes != 0 || live_.blocks <= peak_.blocks)) {
    return false;
  }
  ++epoch_;
  last_allocation_.peak_before = std::exchange(peak_, live_);
  last_allocation_.peak_before_ns = std::exchange(profile_.peak_time_ns, now_ns_);
  return true;
}

/// A block is live, or is again. Returns whether that is a new maximum.
inline bool HeapProfileBuilder::add_live(model::Amount amount, HeapCounter& stack,
                                         HeapCounter& cell) {
  live_ += amount;
  const bool is_new_maximum = rises_to_peak();
  if (!is_new_maximum) {
    keep(stack);
    keep(cell);
  }
  return is_new_maximum;
}

/// A block is not live any more. Returns how long it was.
inline std::uint64_t HeapProfileBuilder::remove_live(const LiveBlock& block, HeapCounter& stack,
                                                     HeapCounter& cell) {
  const model::Amount amount = amount_of(block);
  const std::uint64_t lifetime_ns = now_ns_ - block.time_ns;
  last_allocation_.address = kNoAddress;
  keep(stack);
  keep(cell);
  stack.gone += amount;
  cell.gone += amount;
  live_ -= amount;
  stack.held_byte_ns += to_double(block.bytes) * to_double(lifetime_ns);
  return lifetime_ns;
}

/// What is not in the counters. A pool's block has a bit in its address, and no usable size.
inline HeapProfileBuilder::Forgotten HeapProfileBuilder::forget(Address address,
                                                                const LiveBlock& block) {
  Forgotten forgotten;
  if (usable_.is_used() && block.blocks == 1 && (address.value & recording::kPoolAddress) == 0) {
    forgotten.usable_bytes = usable_.freed(address, block.bytes, epoch_);
  }
  if (touch_.is_used()) [[unlikely]]
    forgotten.touched_bytes = touch_.freed(address);
  return forgotten;
}

/// A free was lost: a live block's address was given out again.
void HeapProfileBuilder::lose(Address address, const LiveBlock& block) {
  if (!counts(block)) return;
  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  remove_live(block, stack, cell);
  forget(address, block);
  stacks_.rare_of(stack).lost += amount_of(block);
  cells_.rare_of(cell).lost += amount_of(block);
}

[[gnu::always_inline]] inline void HeapProfileBuilder::allocated(
    const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  if (part_ == Part::kBefore) [[unlikely]] {
    block = {.time_ns = now_ns_, .stack = kBefore};
    return;
  }
  const std::uint64_t size = size_of(event);
  const auto size_range = static_cast<std::size_t>(std::bit_width(size));
  const std::uint32_t stack_number = stack_counter(event.stack, size_range);
  HeapCounter& stack = stacks_[stack_number];
  Thread& thread = *thread_state_;
  std::uint32_t cell_number = thread.cells[size_range];
  if (cell_number == 0) [[unlikely]]
    cell_number = new_cell(size_range);
  HeapCounter& cell = cells_[cell_number];
  if (!block.is_none()) [[unlikely]]
    lose(event.address, block);

  const bool is_sampled = event.weight_bytes != 0;
  model::Amount amount{.blocks = 1, .bytes = size};
  if (is_sampled) [[unlikely]] {
    amount = stands_for(event, stack);
    count_variance(event, stack, cell);
  }
  block = {.time_ns = now_ns_,
           .bytes = amount.bytes,
           .blocks = static_cast<std::uint32_t>(amount.blocks),
           .stack = stack_number,
           .cell = cell_number};

  const bool is_new_maximum = add_live(amount, stack, cell);
  last_allocation_.address = event.address;
  last_allocation_.is_maximum = is_new_maximum;
  stack.allocated += amount;
  cell.allocated += amount;
  stack.last_ns = thread.last_ns = now_ns_;
  // Where the recording samples, nobody knows what else its thread allocated before the free.
  thread.last_address = is_sampled ? Address{} : event.address;
  thread.newest = {.stack = is_sampled ? 0 : stack_number, .bytes = size};
  if (event.kind == recording::CallKind::kRealloc) {
    stack.resized += amount.blocks;
    cell.resized += amount.blocks;
    // What the allocator itself replaces is in these; the free before was a part of the call.
    thread.newest.stack = 0;
    if (thread.last_free.time_ns == now_ns_) take_back_room(thread.last_free);
  }
  if (usable_.is_used() && !is_sampled && event.kind != recording::CallKind::kPool) {
    if (event.kind == recording::CallKind::kAligned && UsableSizeCounter::is_small(size)) {
      usable_.set_apart(event.address);
      stack.note_other_size();
    } else {
      usable_.allocated(event.address, size, stack_number, epoch_, is_new_maximum);
      if (UsableSizeCounter::is_small(size)) stack.note_size(size);
    }
  }
  if (touch_.is_used()) [[unlikely]] {
    if (is_sampled) {
      touch_.sampled(event.address, event.requested_bytes, stack.owner);
    } else {
      touch_.allocated(event.address, event.requested_bytes, stack.owner, event.thread);
    }
  }
  ++profile_.allocation_events;
  timeline_.allocated(now_ns_, live_.bytes);
}

[[gnu::always_inline]] inline void HeapProfileBuilder::freed(const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  count_free(event, block);
  block.set_none();
}

[[gnu::always_inline]] inline void HeapProfileBuilder::count_free(const recording::HeapEvent& event,
                                                                  const LiveBlock& block) {
  const bool is_known = !block.is_none();
  const std::uint32_t newest_stack = std::exchange(thread_state_->newest.stack, 0);
  LastFree& last = thread_state_->last_free;
  last.address = event.address;
  last.block = block;
  last.time_ns = now_ns_;
  last.was = {.live = is_known};
  if (!is_known) [[unlikely]] {
    if (const auto inherited = inherited_.take(event.address)) {
      last.block = *inherited;
      last.was.inherited = true;
    }
  }
  if (part_ == Part::kBefore || (is_known && block.stack == kPoolMemory)) [[unlikely]]
    return;
  last.was.counted = true;
  ++profile_.free_events;
  if (!is_known || block.stack == kBefore) [[unlikely]] {
    if (!last.was.inherited) ++profile_.losses.frees_not_seen;
    return;
  }
  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  const model::Amount amount = amount_of(block);
  const std::uint64_t lifetime_ns = remove_live(block, stack, cell);
  const double lifetimes_ns = to_double(lifetime_ns) * to_double(amount.blocks);
  stack.lifetime_ns += lifetimes_ns;
  cell.lifetime_ns += lifetimes_ns;
  lifetimes_[static_cast<std::size_t>(std::bit_width(lifetime_ns))] += amount;
  if (cell.owner != thread_) {
    thread_states_[cell.owner].frees_by_others += amount.blocks;
  } else if (thread_state_->last_address == event.address && thread_ != 0) {
    // A live block at the owner's last address is the owner's last allocation.
    stack.temporary += amount;
    cell.temporary += amount;
    last.was.temporary = true;
  } else if (newest_stack == block.stack && thread_ != 0) {
    make_room(last, thread_state_->newest.bytes);
  }
  last.forgotten = forget(event.address, block);
  timeline_.freed(now_ns_, live_.bytes);
}

/// The block that was freed last had to go for its thread's newest one, of the same stack.
void HeapProfileBuilder::make_room(LastFree& last, std::uint64_t newest_bytes) {
  RareCounter& rare = stacks_.rare_of(stacks_[last.block.stack]);
  last.was.outgrown = newest_bytes > last.block.bytes;
  last.was.replaced = !last.was.outgrown;
  (last.was.outgrown ? rare.outgrown : rare.replaced) += amount_of(last.block);
}

/// It had not.
void HeapProfileBuilder::take_back_room(LastFree& last) {
  if (!last.was.outgrown && !last.was.replaced) return;
  RareCounter& rare = stacks_.rare_of(stacks_[last.block.stack]);
  (last.was.outgrown ? rare.outgrown : rare.replaced) -= amount_of(last.block);
  last.was.outgrown = last.was.replaced = false;
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
  const model::Amount amount = amount_of(block);
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
  if (last.forgotten.usable_bytes != 0) {
    usable_.restored(
        last.address,
        {.bytes = block.bytes, .usable_bytes = last.forgotten.usable_bytes, .stack = block.stack},
        epoch_, is_new_maximum);
  }
  if (touch_.is_used()) {
    touch_.allocated(last.address, last.forgotten.touched_bytes, stack.owner, event_thread_);
  }
  timeline_.restored(now_ns_, live_.bytes);
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
  const model::Amount amount = amount_of(block);
  const bool is_last = last_allocation_.address == address;
  const bool is_maximum = is_last && last_allocation_.is_maximum;
  if (is_maximum) {
    take_back_peak();
  } else {
    keep(stack);
    keep(cell);
  }
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
  if (usable_.is_used() && block.blocks == 1) {
    usable_.uncounted(address, block.bytes, epoch_, is_maximum);
  }
  if (touch_.is_used()) touch_.freed(address);
  --profile_.allocation_events;
  if (is_last) {
    timeline_.taken_back(live_.bytes);
  } else {
    timeline_.freed(now_ns_, live_.bytes);
  }
  last_allocation_.address = kNoAddress;
}

/// K1 and K2 hold for the maximum before: no counter was kept since the last one began its epoch.
void HeapProfileBuilder::take_back_peak() {
  --epoch_;
  peak_ = last_allocation_.peak_before;
  if (sampled_peak_ns_ == profile_.peak_time_ns) sampled_peak_ns_ = last_allocation_.peak_before_ns;
  profile_.peak_time_ns = last_allocation_.peak_before_ns;
}

void HeapProfileBuilder::heap_events(std::span<const recording::HeapEvent> events) {
  const std::span<const Address> met = blocks_.meet(events);
  if (part_ != Part::kAfter) {
    for (const Address address : met) arenas_.met(address);
  }
  for (const recording::HeapEvent& event : events) {
    if (event.time_ns != event_ns_) pass_to(event.time_ns);
    if (part_ == Part::kAfter) [[unlikely]]
      continue;
    if (event.thread != event_thread_) switch_to(event.thread);
    if (event.is_free) {
      freed(event);
    } else if (event.kind < recording::CallKind::kPool || !change(event)) {
      allocated(event);
    }
  }
}

void HeapProfileBuilder::events_end() {
  blocks_.gather([this](Address address, const LiveBlock& block) { lose(address, block); });
}

}  // namespace mini::sources
