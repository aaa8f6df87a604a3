// What the heap profile builder does at each allocation and free: what a report of a long recording
// spends its time with.
#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "sources/heap_profile_builder.h"

namespace mini::sources {
namespace {

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
  timeline_.pass_to(now_ns_, heap_levels());
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

/// Of a stack that has no counter so far, that is not known, or that has one for each part.
std::uint32_t HeapProfileBuilder::rare_stack_counter(std::uint32_t node, std::size_t size_range) {
  if (node == 0) ++profile_.losses.unknown_stacks;
  if (profile_.division != model::StackDivision::kNone) return part_counter(node, size_range);
  std::uint32_t& counter = node == 0 ? counter_of_unknown_ : counter_of_node_[node];
  if (counter == 0) counter = new_stack_counter(node);
  return counter;
}

// What every event runs through is declared inline: in position-independent code the compiler would
// otherwise make calls of it.

inline std::uint32_t HeapProfileBuilder::stack_counter(recording::StackNumber number,
                                                       std::size_t size_range) {
  const std::uint32_t node = nodes_.find(number);
  const std::uint32_t counter = counter_of_node_[node];
  if (counter != 0) [[likely]]
    return counter;
  return rare_stack_counter(node, size_range);
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

/// A block is not live any more. Returns how long it was.
inline std::uint64_t HeapProfileBuilder::remove_live(const LiveBlock& block, HeapCounter& stack,
                                                     HeapCounter& cell) {
  const model::Amount amount = block.amount();
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

/// What is not in the counters. Returns whether `forgotten` says anything; else it is as it was. A
/// pool's block has a bit in its address, and no usable size.
inline bool HeapProfileBuilder::forget(Address address, const LiveBlock& block,
                                       Forgotten& forgotten) {
  bool may_be_large = false;
  if (block.has_usable_size) {
    usable_.small_freed(block.bytes, epoch_);
  } else {
    may_be_large = !UsableSizeCounter::is_small(block.bytes) && block.blocks == 1 &&
                   (address.value & recording::kPoolAddress) == 0;
  }
  if (!may_be_large && !touch_.is_used()) [[likely]]
    return false;
  forgotten = {};
  if (may_be_large) forgotten.large_usable_bytes = usable_.large_freed(address, epoch_);
  if (touch_.is_used()) forgotten.touched_bytes = touch_.freed(address);
  return true;
}

/// A free was lost: a live block's address was given out again.
void HeapProfileBuilder::lose(Address address, const LiveBlock& block) {
  if (!counts(block)) return;
  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  remove_live(block, stack, cell);
  Forgotten forgotten;
  forget(address, block, forgotten);
  stacks_.rare_of(stack).lost += block.amount();
  cells_.rare_of(cell).lost += block.amount();
}

/// A block of the current thread begins to be live. Returns whether that is a new maximum.
inline bool HeapProfileBuilder::begin(LiveBlock& block, Address address, model::Amount amount,
                                      std::uint32_t stack_number, std::uint32_t cell_number) {
  HeapCounter& stack = stacks_[stack_number];
  HeapCounter& cell = cells_[cell_number];
  block = {.time_ns = now_ns_,
           .bytes = amount.bytes,
           .blocks = static_cast<std::uint32_t>(amount.blocks),
           .stack = stack_number,
           .cell = cell_number};
  const bool is_new_maximum = add_live(amount, stack, cell);
  last_allocation_.address = address;
  last_allocation_.is_maximum = is_new_maximum;
  stack.allocated += amount;
  cell.allocated += amount;
  stack.last_ns = thread_state_->last_ns = now_ns_;
  ++profile_.allocation_events;
  return is_new_maximum;
}

/// One that stands for others. Nobody knows what else its thread allocated before the free.
void HeapProfileBuilder::sampled(const recording::HeapEvent& event, LiveBlock& block,
                                 std::uint32_t stack_number, std::uint32_t cell_number) {
  HeapCounter& stack = stacks_[stack_number];
  HeapCounter& cell = cells_[cell_number];
  const model::Amount amount = stands_for(event, stack);
  count_variance(event, stack, cell);
  begin(block, event.address, amount, stack_number, cell_number);
  thread_state_->last_address = {};
  thread_state_->newest.stack = 0;
  if (event.kind == recording::CallKind::kRealloc) count_resized(amount.blocks, stack, cell);
  if (touch_.is_used()) touch_.sampled(event.address, event.requested_bytes, stack.owner);
}

/// What the allocator itself replaces is in these; the free before was a part of the call.
void HeapProfileBuilder::count_resized(std::uint64_t blocks, HeapCounter& stack,
                                       HeapCounter& cell) {
  stack.resized += blocks;
  cell.resized += blocks;
  thread_state_->newest.stack = 0;
  LastFree& last = thread_state_->last_free;
  if (last.time_ns == now_ns_) take_back_room(last);
}

[[gnu::always_inline]] inline void HeapProfileBuilder::allocated(
    const recording::HeapEvent& event) {
  const std::uint64_t size = size_of(event);
  const auto size_range = static_cast<std::size_t>(std::bit_width(size));
  Thread& thread = *thread_state_;
  const std::uint32_t stack_number = stack_counter(event.stack, size_range);
  std::uint32_t cell_number = thread.cells[size_range];
  if (cell_number == 0) [[unlikely]]
    cell_number = new_cell(size_range);
  LiveBlock& block = blocks_.at(event.place);
  if (!block.is_none()) [[unlikely]]
    lose(event.address, block);
  if (event.weight_bytes != 0) [[unlikely]]
    return sampled(event, block, stack_number, cell_number);

  const bool is_new_maximum =
      begin(block, event.address, {.blocks = 1, .bytes = size}, stack_number, cell_number);
  HeapCounter& stack = stacks_[stack_number];
  thread.last_address = event.address;
  thread.newest = {.stack = stack_number, .bytes = size};
  if (event.kind == recording::CallKind::kRealloc) [[unlikely]]
    count_resized(1, stack, cells_[cell_number]);
  if (usable_.is_used()) count_usable(event, block, stack, is_new_maximum);
  if (touch_.is_used()) [[unlikely]]
    touch_.allocated(event.address, event.requested_bytes, stack.owner, event.thread);
}

[[gnu::always_inline]] inline void HeapProfileBuilder::count_usable(
    const recording::HeapEvent& event, LiveBlock& block, HeapCounter& stack, bool is_new_maximum) {
  const bool is_small = UsableSizeCounter::is_small(block.bytes);
  if (event.kind == recording::CallKind::kPool) return;
  if (!is_small) [[unlikely]] {
    usable_.large_allocated(event.address, block.bytes, block.stack, epoch_, is_new_maximum);
  } else if (event.kind == recording::CallKind::kAligned) {
    stack.note_other_size();
  } else {
    block.has_usable_size = usable_.small_allocated(block.bytes, epoch_, is_new_maximum);
    stack.note_size(block.bytes);
  }
}

[[gnu::always_inline]] inline void HeapProfileBuilder::freed(const recording::HeapEvent& event) {
  LiveBlock& block = blocks_.at(event.place);
  if (block.is_none() || !counts(block)) [[unlikely]]
    return uncounted_freed(event, block);
  ++profile_.free_events;
  Thread& thread = *thread_state_;
  const std::uint32_t newest_stack = std::exchange(thread.newest.stack, 0);
  LastFree& last = thread.last_free;
  last.address = event.address;
  last.block = block;
  last.time_ns = now_ns_;
  last.was = {.live = true, .counted = true};

  HeapCounter& stack = stacks_[block.stack];
  HeapCounter& cell = cells_[block.cell];
  const model::Amount amount = block.amount();
  const std::uint64_t lifetime_ns = remove_live(block, stack, cell);
  const double lifetimes_ns = to_double(lifetime_ns) * to_double(amount.blocks);
  stack.lifetime_ns += lifetimes_ns;
  cell.lifetime_ns += lifetimes_ns;
  lifetimes_[static_cast<std::size_t>(std::bit_width(lifetime_ns))] += amount;
  if (cell.owner != thread_) {
    thread_states_[cell.owner].frees_by_others += amount.blocks;
  } else if (thread.last_address == event.address && thread_ != 0) {
    // A live block at the owner's last address is the owner's last allocation.
    stack.temporary += amount;
    cell.temporary += amount;
    last.was.temporary = true;
  } else if (newest_stack == block.stack && thread_ != 0) {
    make_room(last, thread.newest.bytes);
  }
  last.was.elsewhere = forget(event.address, block, last.forgotten);
  block.set_none();
}

void HeapProfileBuilder::heap_events(std::span<const recording::HeapEvent> events,
                                     std::span<const Address> new_places) {
  blocks_.meet(new_places);
  if (part_ != Part::kAfter) {
    for (const Address address : new_places) arenas_.met(address);
  }
  for (const recording::HeapEvent& event : events) {
    if (event.time_ns != event_ns_) pass_to(event.time_ns);
    if (event.thread != event_thread_) switch_to(event.thread);
    if (part_ != Part::kWithin) [[unlikely]] {
      if (part_ == Part::kBefore) happened_before(event);
    } else if (event.is_free) {
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
