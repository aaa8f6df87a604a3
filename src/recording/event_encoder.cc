// The writer's side of an events block.
#include "recording/event_encoder.h"

#include <algorithm>

// Of one function, and of nothing else: what it holds in registers stays there.
#define MINI_HOT [[gnu::always_inline]] inline

namespace mini::recording {

namespace {

// Greater numbers than these, which no writer gives out, are written as new ones each time.
constexpr std::size_t kMostNumbers = 1U << 24U;

template <typename Local, typename Number>
[[gnu::noinline]] void make_room_for(std::vector<Local>& locals, Number number) {
  if (number < kMostNumbers) {
    locals.resize(std::max<std::size_t>(number + std::size_t{1}, locals.size() * 2));
  }
}

/// Numbers of one kind as they are in the block. One that is new is put there as 0.
template <typename Local, typename Number>
MINI_HOT Local find_local(std::vector<Local>& locals, Number number) {
  if (number < locals.size()) [[likely]]
    return locals[number];
  make_room_for(locals, number);
  return 0;
}

template <typename Local, typename Number>
void set_local(std::vector<Local>& locals, Number number, Local local) {
  if (number < locals.size()) locals[number] = local;
}

constexpr std::size_t worst_case(std::size_t bytes_an_event) {
  return bytes_an_event * kMaxEvents;
}

}  // namespace

EventEncoder::EventEncoder()
    : scores_{-1, -1},
      codes_(worst_case(1)),
      ticks_(worst_case(kMaxVarintBytes)),
      threads_(worst_case(3 + 5)),
      slots_low_(worst_case(1)),
      slots_high_(worst_case(1)),
      addresses_(worst_case(kMaxVarintBytes)),
      stacks_(worst_case(3)),
      new_stacks_(worst_case(kMaxVarintBytes + 1)),
      sizes_low_(worst_case(1)),
      sizes_high_(worst_case(kMaxVarintBytes)),
      weights_(worst_case(kMaxVarintBytes)) {}

std::uint8_t EventEncoder::later(std::uint64_t time_ns) {
  const std::uint64_t tick = std::max(time_ns / kTickNs, tick_);
  const std::uint64_t difference = tick - tick_;
  tick_ = tick;
  tick_end_ns_ = tick < UINT64_MAX / kTickNs ? (tick + 1) * kTickNs : UINT64_MAX;
  if (count_ == 0) {
    first_tick_ = tick;
    return 0;
  }
  if (difference == 0) return 0;
  ticks_.put_varint(difference);
  return kCodeLater;
}

std::uint8_t EventEncoder::other_thread(ThreadNumber number) {
  const LocalThread known = find_local(local_threads_, number);
  if (known != 0) {
    prediction_.set_current_thread(known);
    threads_.put_varint(known);
    return kCodeThread;
  }
  const LocalThread added = prediction_.new_thread(number);
  set_local(local_threads_, number, added);
  threads_.put_varint(added);
  threads_.put_varint(number);
  return kCodeThread;
}

inline std::uint8_t EventEncoder::begin_event(std::uint64_t time_ns, ThreadNumber thread) {
  std::uint8_t code = 0;
  if (time_ns >= tick_end_ns_) [[unlikely]] {
    code |= later(time_ns);
  }
  if (thread != prediction_.current_thread() || !prediction_.has_current_thread()) [[unlikely]] {
    code |= other_thread(thread);
  }
  ++count_;
  return code;
}

LocalStack EventEncoder::new_local_stack(StackNumber number, std::uint8_t kind) {
  const LocalStack stack = prediction_.new_stack(number, kind);
  set_local(local_stacks_, number, stack);
  new_stacks_.put_varint(zigzag(std::uint64_t{number} - last_new_stack_));
  new_stacks_.put_byte(kind);
  last_new_stack_ = number;
  return stack;
}

/// The stack's number in this block.
MINI_HOT LocalStack EventEncoder::local_stack(StackNumber number, std::uint8_t kind) {
  const LocalStack stack = find_local(local_stacks_, number);
  if (stack != 0 && prediction_.stack(stack).kind == kind) [[likely]]
    return stack;
  // One that is of several kinds has a number for each, of which that of the last is found.
  const LocalStack expected = prediction_.expected_stack();
  const Prediction::Stack& known = prediction_.stack(expected);
  return expected != 0 && known.number == number && known.kind == kind
             ? expected
             : new_local_stack(number, kind);
}

/// Puts a stack into its column unless it is the expected one; true where that is so.
MINI_HOT bool EventEncoder::put_stack(LocalStack stack) {
  const bool is_expected = stack == prediction_.expected_stack();
  stacks_.put_varint_if(!is_expected, stack);
  prediction_.stack_seen(stack);
  return is_expected;
}

MINI_HOT std::uint8_t EventEncoder::put_size(LocalStack stack, std::uint64_t size) {
  std::uint64_t& expected = prediction_.stack(stack).size;
  const bool is_other = expected != size;
  expected = size;
  sizes_low_.put_byte_if(is_other, static_cast<std::uint8_t>(size));
  sizes_high_.put_varint_if(is_other, size >> 8U);
  return is_other ? kCodeSize : std::uint8_t{0};
}

inline void EventEncoder::put_weight(std::uint64_t weight) {
  if (weights_.bytes().empty()) {
    if (weight == 0) return;
    for (std::uint32_t i = 0; i < allocation_count_; ++i) weights_.put_byte(0);
  }
  weights_.put_varint(weight);
}

SlotNumber EventEncoder::new_slot(std::uint64_t address) {
  const SlotNumber slot = prediction_.new_slot(address);
  slots_.add(prediction_, address, slot);
  return slot;
}

MINI_HOT void EventEncoder::put_slot_if(bool is_wanted, SlotNumber slot) {
  slots_low_.put_byte_if(is_wanted, static_cast<std::uint8_t>(slot));
  slots_high_.put_byte_if(is_wanted, static_cast<std::uint8_t>(slot >> 8U));
}

std::uint8_t EventEncoder::place_new_block(std::uint64_t address, SizeClass size_class) {
  const std::uint64_t difference = address - prediction_.expected_address();
  if (difference != 0) address_differences_.push_back(difference);
  const SlotNumber slot = new_slot(address);
  prediction_.new_block_seen(address, size_class);
  prediction_.allocated(slot, size_class);
  return difference == 0 ? kModeNext : kModeAddress;
}

MINI_HOT std::uint8_t EventEncoder::place_allocation(std::uint64_t address, std::uint64_t size) {
  const SizeClass size_class = mini::recording::size_class(class_rule_, size);
  const SlotNumber slot = slots_.find(prediction_, address);
  if (slot == 0) [[unlikely]]
    return place_new_block(address, size_class);
  const bool is_guessed = slot == prediction_.expected_free_slot(size_class);
  guessed_ += static_cast<std::uint32_t>(is_guessed);
  missed_ += static_cast<std::uint32_t>(!is_guessed);
  put_slot_if(!is_guessed, slot);
  prediction_.allocated(slot, size_class);
  return is_guessed ? kModePredicted : kModeSlot;
}

std::uint8_t EventEncoder::place_free_of_unknown(std::uint64_t address) {
  address_differences_.push_back(address - prediction_.newest_address());
  prediction_.freed(new_slot(address));
  return kModeAddress;
}

MINI_HOT std::uint8_t EventEncoder::place_free(std::uint64_t address) {
  const SlotNumber slot = slots_.find(prediction_, address);
  if (slot == 0) [[unlikely]]
    return place_free_of_unknown(address);
  std::uint8_t mode = slot == prediction_.slot_after_freed() ? kModeNext : kModeSlot;
  if (slot == prediction_.expected_live_slot()) mode = kModePredicted;
  put_slot_if(mode == kModeSlot, slot);
  prediction_.freed(slot);
  return mode;
}

MINI_HOT std::uint8_t EventEncoder::add_allocation(const HeapEvent& event) {
  const LocalStack stack = local_stack(event.stack, static_cast<std::uint8_t>(event.kind));
  std::uint8_t code = put_stack(stack) ? std::uint8_t{0} : kCodeStack;
  code |= put_size(stack, event.requested_bytes);
  put_weight(event.weight_bytes);
  ++allocation_count_;
  return code | place_allocation(event.address.value, event.requested_bytes);
}

MINI_HOT std::uint8_t EventEncoder::add_free(const HeapEvent& event) {
  std::uint8_t code = kCodeFree;
  if (event.stack != 0) {
    code |= put_stack(local_stack(event.stack, kFreeStackKind)) ? kCodeSameStack : kCodeStack;
  }
  ++free_count_;
  return code | place_free(event.address.value);
}

std::size_t EventEncoder::add(std::span<const HeapEvent> events) {
  const std::size_t most = std::min<std::size_t>(events.size(), kMaxEvents - count_);
  for (std::size_t i = 0; i < most; ++i) {
    const HeapEvent& event = events[i];
    const std::uint8_t code = begin_event(event.time_ns, event.thread);
    codes_.put_byte(code | (event.is_free ? add_free(event) : add_allocation(event)));
    if ((code & kCodeThread) != 0 && is_full()) return i + 1;
  }
  return most;
}

/// The record of fields_.
void EventEncoder::put_other(std::uint8_t code, std::uint8_t type) {
  codes_.put_byte(static_cast<std::uint8_t>(code | kCodeOther | (type << kCodeOtherShift)));
  put_varint(others_, fields_.size());
  put_bytes(others_, fields_);
}

void EventEncoder::add(const KernelSample& sample) {
  const std::uint8_t code = begin_event(sample.time_ns, prediction_.current_thread());
  fields_.clear();
  for (const std::uint64_t number :
       {sample.resident.count, sample.peak_resident.count, sample.agent_resident.count,
        sample.break_bytes.count, sample.mapped_bytes.count, sample.minor_faults,
        sample.major_faults, sample.proportional.count}) {
    put_varint(fields_, number);
  }
  put_other(code, kOtherSample);
}

void EventEncoder::add(const Mapping& mapping) {
  const std::uint8_t code = begin_event(mapping.time_ns, mapping.thread);
  fields_.clear();
  for (const std::uint64_t number :
       {static_cast<std::uint64_t>(mapping.operation), mapping.address.value, mapping.bytes.count,
        mapping.old_address.value, mapping.old_bytes.count, std::uint64_t{mapping.stack}}) {
    put_varint(fields_, number);
  }
  put_other(code, kOtherMapping);
}

void EventEncoder::add(const UsableSize& usable) {
  const std::uint8_t code = begin_event(usable.time_ns, usable.thread);
  fields_.clear();
  put_varint(fields_, usable.requested_bytes);
  put_varint(fields_, usable.usable_bytes);
  put_other(code, kOtherUsable);
}

void EventEncoder::add(const Touch& touch) {
  const std::uint8_t code = begin_event(touch.time_ns, touch.thread);
  fields_.clear();
  put_varint(fields_, touch.address.value);
  put_varint(fields_, touch.stack);
  put_other(code, kOtherTouch);
}

void EventEncoder::add(const TouchWatch& watch) {
  const std::uint8_t code = begin_event(watch.time_ns, prediction_.current_thread());
  fields_.clear();
  put_string(fields_, watch.refusal);
  put_varint(fields_, watch.lost);
  put_other(code, kOtherTouchWatch);
}

void EventEncoder::add(const Marker& marker) {
  const std::uint8_t code = begin_event(marker.time_ns, marker.thread);
  fields_.clear();
  put_string(fields_, marker.text);
  put_other(code, kOtherMarker);
}

}  // namespace mini::recording
