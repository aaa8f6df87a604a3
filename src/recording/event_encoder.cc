// The writer's side of an events block.
#include "recording/event_encoder.h"

#include <bit>

namespace mini::recording {

namespace {

// Greater numbers than these, which no writer gives out, are written as new ones each time.
constexpr std::size_t kMostNumbers = 1U << 24U;

/// Numbers of one kind as they are in the block. One that is new is put there as 0.
template <typename Local, typename Number>
Local find_local(std::vector<Local>& locals, Number number) {
  if (number < locals.size()) return locals[number];
  if (number < kMostNumbers) {
    locals.resize(std::max<std::size_t>(number + std::size_t{1}, locals.size() * 2));
  }
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
  const std::uint64_t tick = time_ns / kTickNs;
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
  if (time_ns >= tick_end_ns_ || count_ == 0) code |= later(time_ns);
  if (thread != prediction_.current_thread() || !prediction_.has_current_thread()) {
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

/// The stack's number in this block, put into its column.
LocalStack EventEncoder::local_stack(StackNumber number, std::uint8_t kind) {
  LocalStack stack = find_local(local_stacks_, number);
  if (stack == 0 || prediction_.stack(stack).kind != kind) stack = new_local_stack(number, kind);
  stacks_.put_varint(stack);
  return stack;
}

inline std::uint8_t EventEncoder::put_size(LocalStack stack, std::uint64_t size) {
  std::uint64_t& expected = prediction_.stack(stack).size;
  if (expected == size) return 0;
  expected = size;
  sizes_low_.put_byte(static_cast<std::uint8_t>(size));
  sizes_high_.put_varint(size >> 8U);
  return kCodeSize;
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

inline void EventEncoder::put_slot(SlotNumber slot) {
  slots_low_.put_byte(static_cast<std::uint8_t>(slot));
  slots_high_.put_byte(static_cast<std::uint8_t>(slot >> 8U));
}

inline std::uint8_t EventEncoder::place_allocation(std::uint64_t address, std::uint64_t size) {
  const SizeClass size_class = mini::recording::size_class(class_rule_, size);
  std::uint8_t mode = kModePredicted;
  SlotNumber slot = prediction_.expected_free_slot(size_class);
  if (slot != 0 && prediction_.address(slot) == address) {
    ++guessed_;
  } else if (slot = slots_.find(prediction_, address); slot != 0) {
    ++missed_;
    put_slot(slot);
    mode = kModeSlot;
  } else {
    const std::uint64_t difference = address - prediction_.expected_address();
    mode = difference == 0 ? kModeNext : kModeAddress;
    if (difference != 0) address_differences_.push_back(difference);
    slot = new_slot(address);
    prediction_.new_block_seen(address, size_class);
  }
  prediction_.allocated(slot, size_class);
  return mode;
}

inline std::uint8_t EventEncoder::place_free(std::uint64_t address) {
  std::uint8_t mode = kModePredicted;
  SlotNumber slot = prediction_.expected_live_slot();
  if (slot == 0 || prediction_.address(slot) != address) {
    mode = kModeNext;
    slot = prediction_.slot_after_freed();
    if (slot == 0 || prediction_.address(slot) != address) {
      slot = slots_.find(prediction_, address);
      mode = slot != 0 ? kModeSlot : kModeAddress;
      if (slot != 0) {
        put_slot(slot);
      } else {
        address_differences_.push_back(address - prediction_.newest_address());
        slot = new_slot(address);
      }
    }
  }
  prediction_.freed(slot);
  return mode;
}

void EventEncoder::add(const Allocation& allocation, std::uint64_t time_ns) {
  std::uint8_t code = begin_event(time_ns, allocation.thread);
  const auto kind = static_cast<std::uint8_t>(allocation.kind);
  LocalStack stack = prediction_.expected_stack();
  const Prediction::Stack& expected = prediction_.stack(stack);
  if (stack == 0 || expected.number != allocation.stack || expected.kind != kind) {
    stack = local_stack(allocation.stack, kind);
    code |= kCodeStack;
  }
  prediction_.stack_seen(stack);
  code |= put_size(stack, allocation.requested_bytes);
  put_weight(allocation.weight_bytes);
  code |= place_allocation(allocation.address.value, allocation.requested_bytes);
  codes_.put_byte(code);
  ++allocation_count_;
}

void EventEncoder::add(const Free& free, std::uint64_t time_ns) {
  std::uint8_t code = begin_event(time_ns, free.thread) | kCodeFree;
  if (free.stack != 0) {
    LocalStack stack = prediction_.expected_stack();
    const Prediction::Stack& expected = prediction_.stack(stack);
    if (stack == 0 || expected.number != free.stack || expected.kind != kFreeStackKind) {
      stack = local_stack(free.stack, kFreeStackKind);
      code |= kCodeStack;
    } else {
      code |= kCodeSameStack;
    }
    prediction_.stack_seen(stack);
  }
  code |= place_free(free.address.value);
  codes_.put_byte(code);
  ++free_count_;
}

/// The record of fields_.
void EventEncoder::put_other(std::uint8_t code, std::uint8_t type) {
  codes_.put_byte(static_cast<std::uint8_t>(code | kCodeOther | (type << kCodeOtherShift)));
  put_varint(others_, fields_.size());
  put_bytes(others_, fields_);
}

void EventEncoder::add(const KernelSample& sample, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, prediction_.current_thread());
  fields_.clear();
  for (const std::uint64_t number :
       {sample.resident.count, sample.peak_resident.count, sample.agent_resident.count,
        sample.break_bytes.count, sample.mapped_bytes.count, sample.minor_faults,
        sample.major_faults, sample.proportional.count}) {
    put_varint(fields_, number);
  }
  put_other(code, kOtherSample);
}

void EventEncoder::add(const Mapping& mapping, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, mapping.thread);
  fields_.clear();
  for (const std::uint64_t number :
       {static_cast<std::uint64_t>(mapping.operation), mapping.address.value, mapping.bytes.count,
        mapping.old_address.value, mapping.old_bytes.count, std::uint64_t{mapping.stack}}) {
    put_varint(fields_, number);
  }
  put_other(code, kOtherMapping);
}

void EventEncoder::add(const UsableSize& usable, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, usable.thread);
  fields_.clear();
  put_varint(fields_, usable.requested_bytes);
  put_varint(fields_, usable.usable_bytes);
  put_other(code, kOtherUsable);
}

void EventEncoder::add(const Touch& touch, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, touch.thread);
  fields_.clear();
  put_varint(fields_, touch.address.value);
  put_varint(fields_, touch.stack);
  put_other(code, kOtherTouch);
}

void EventEncoder::add(const TouchWatch& watch, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, prediction_.current_thread());
  fields_.clear();
  put_string(fields_, watch.refusal);
  put_varint(fields_, watch.lost);
  put_other(code, kOtherTouchWatch);
}

void EventEncoder::add(const Marker& marker, std::uint64_t time_ns) {
  const std::uint8_t code = begin_event(time_ns, marker.thread);
  fields_.clear();
  put_string(fields_, marker.text);
  put_other(code, kOtherMarker);
}

}  // namespace mini::recording
