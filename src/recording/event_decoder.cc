// The reader's side of an events block. Every number is checked before it is an index; a column
// that ends too early reads as zeros and is found out at the end of the event.
#include "recording/event_decoder.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"

// Of one function, and of nothing else: what it holds in registers stays there.
#define MINI_HOT [[gnu::always_inline]] inline

namespace mini::recording {

namespace {

// Slots that are read between the request for one in the cache and its use.
constexpr std::size_t kAhead = 6;
// Numbers of two columns that are joined at once.
constexpr std::size_t kStep = 16;

/// One of those that CallKind has.
std::uint8_t call_kind(std::uint8_t number) {
  return number <= static_cast<std::uint8_t>(CallKind::kRestored) ? number : std::uint8_t{0};
}

/// Which of the two it is nobody can foresee, the processor's branch predictor neither: so that is
/// no branch, which compilers make of an operator ?: here.
template <typename T>
T one_of(bool is_first, T first, T second) {
  const auto mask = static_cast<T>(0 - static_cast<T>(is_first));
  return static_cast<T>(second ^ ((first ^ second) & mask));
}

/// Numbers from their low and high bytes. In arrays of its own, which nothing else points to, so
/// that the compiler takes all of them in one go.
template <std::size_t Count, typename Number>
void join_bytes(const std::uint8_t* low, const std::uint8_t* high, Number* out) {
  std::array<std::uint8_t, Count> lows;
  std::array<std::uint8_t, Count> highs;
  std::array<Number, Count> joined;
  std::memcpy(lows.data(), low, sizeof lows);
  std::memcpy(highs.data(), high, sizeof highs);
  for (std::size_t i = 0; i < Count; ++i) {
    joined[i] = static_cast<Number>(lows[i] | (unsigned{highs[i]} << 8U));
  }
  std::memcpy(out, joined.data(), sizeof joined);
}

/// Whether the next kStep varints have one byte each. REQUIRES: as many bytes.
bool are_short(const std::uint8_t* varints) {
  static_assert(kStep == 2 * sizeof(std::uint64_t));
  const auto all = load_number<std::uint64_t>(varints) |
                   load_number<std::uint64_t>(varints + sizeof(std::uint64_t));
  return (all & 0x8080'8080'8080'8080U) == 0;
}

}  // namespace

bool EventDecoder::read_head(ByteReader& in, Outcome& outcome) {
  const std::uint64_t count = in.varint();
  outcome.allocations_before = in.varint();
  outcome.frees_before = in.varint();
  tick_ns_ = in.varint();
  tick_ = in.varint();
  const std::uint64_t shift = in.varint();
  const std::uint64_t rule = in.varint();
  const auto time = checked_multiply(tick_, tick_ns_);
  if (in.is_bad() || count > kMaxEvents || tick_ns_ == 0 || !time || shift > kMaxAddressShift ||
      rule >= kClassRules) {
    return false;
  }
  count_ = static_cast<std::uint32_t>(count);
  time_ns_ = std::max(time_ns_, *time);
  address_shift_ = static_cast<unsigned>(shift);
  class_rule_ = static_cast<std::uint8_t>(rule);
  return true;
}

/// Finds the columns and decompresses them.
bool EventDecoder::read_columns(ByteReader& in) {
  struct Sizes {
    std::uint64_t raw, stored;
  };
  const std::uint64_t count = in.varint();
  if (count > in.left()) return false;
  std::array<Sizes, kColumns> sizes{};
  std::uint64_t compressed_bytes = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Sizes size{in.varint(), in.varint()};
    if (size.raw > kMaxBlockBytes || size.stored > size.raw) return false;
    if (i >= kColumns) continue;
    sizes[i] = size;
    if (size.stored != size.raw) compressed_bytes += size.raw;
  }
  if (compressed_bytes > kMaxBlockBytes) return false;
  if (raw_.size() < compressed_bytes) raw_.resize(compressed_bytes);
  std::span<std::uint8_t> room(raw_);
  for (std::size_t i = 0; i < kColumns; ++i) {
    ByteSpan bytes = in.bytes(sizes[i].stored);
    if (sizes[i].stored != sizes[i].raw) {
      const std::span<std::uint8_t> unpacked = room.first(sizes[i].raw);
      if (!decompressor_.fill(bytes, unpacked)) return false;
      room = room.subspan(sizes[i].raw);
      bytes = unpacked;
    }
    columns_[i] = ByteReader(bytes);
  }
  has_weights_ = !column(Column::kWeights).at_end();
  if (!has_weights_) {
    for (HeapEvent& event : batch_) event.weight_bytes = 0;
  }
  join_slots();
  join_sizes();
  return !in.is_bad();
}

/// Zeros, which are no slots, follow the last one: for as many events as there are.
void EventDecoder::join_slots() {
  const std::size_t most = std::size_t{count_} + kAhead + 1;
  ByteReader& low = column(Column::kSlotsLow);
  ByteReader& high = column(Column::kSlotsHigh);
  const std::size_t count = std::min({low.left(), high.left(), most});
  if (slots_.size() < most) slots_.resize(most);
  SlotNumber* slot = slots_.data();
  for (std::size_t i = 0; i < count / kStep; ++i, slot += kStep) {
    join_bytes<kStep>(low.bytes(kStep).data(), high.bytes(kStep).data(), slot);
  }
  for (std::size_t i = 0; i < count % kStep; ++i, ++slot) {
    join_bytes<1>(low.bytes(1).data(), high.bytes(1).data(), slot);
  }
  std::fill(slot, slots_.data() + most, SlotNumber{0});
  next_slot_ = slots_.data();
}

/// Up to the first malformed one, and no more than one for each event.
void EventDecoder::join_sizes() {
  ByteReader& low = column(Column::kSizesLow);
  ByteReader& high = column(Column::kSizesHigh);
  if (sizes_.size() < count_) sizes_.resize(count_);
  long_sizes_.clear();
  std::uint32_t* size = sizes_.data();
  const std::uint32_t* const end = size + count_;
  while (size != end) {
    const auto room = static_cast<std::size_t>(end - size);
    if (std::min({low.left(), high.left(), room}) >= kStep && are_short(high.ahead())) {
      join_bytes<kStep>(low.bytes(kStep).data(), high.bytes(kStep).data(), size);
      size += kStep;
    } else if (join_size(*size)) {
      ++size;
    } else {
      break;
    }
  }
  next_size_ = sizes_.data();
  sizes_end_ = size;
  next_long_size_ = long_sizes_.data();
}

bool EventDecoder::join_size(std::uint32_t& joined) {
  ByteReader& low = column(Column::kSizesLow);
  std::uint64_t high = 0;
  if (low.at_end() || !column(Column::kSizesHigh).take_varint(high)) return false;
  const std::uint64_t size = low.byte() | (high << 8U);
  if (size >= kLongSize) long_sizes_.push_back(size);
  joined = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, kLongSize));
  return true;
}

EventDecoder::Outcome EventDecoder::decode(ByteSpan block, Visitor& visitor) {
  Outcome outcome;
  ByteReader in(block);
  if (!read_head(in, outcome) || !read_columns(in)) return outcome;
  prediction_.restart();
  note_stack_count();
  last_new_stack_ = 0;
  handed_on_ = frees_ = 0;
  // The first event names its thread; all others have one then.
  if (count_ != 0 && !columns_.front().at_end() && (columns_.front().peek(0) & kCodeThread) == 0) {
    return outcome;
  }
  outcome.is_sound = read_events(visitor);
  hand_on(visitor);
  outcome.frees = frees_;
  outcome.allocations = handed_on_ - frees_;
  return outcome;
}

bool EventDecoder::read_events(Visitor& visitor) {
  ByteReader& codes = column(Column::kCodes);
  for (std::size_t left = count_; left != 0;) {
    const auto room = static_cast<std::size_t>(batch_.data() + batch_.size() - next_event_);
    const std::size_t count = std::min({left, room, codes.left()});
    if (count == 0) return false;
    for (const std::uint8_t code : codes.bytes(count)) {
      if (!read_event(code, visitor)) return false;
    }
    left -= count;
    if (count == room) hand_on(visitor);
  }
  return true;
}

void EventDecoder::hand_on(Visitor& visitor) {
  if (next_event_ != batch_.data()) {
    visitor.heap_events({batch_.data(), next_event_}, {new_places_.data(), new_place_count_});
  }
  handed_on_ += static_cast<std::uint64_t>(next_event_ - batch_.data());
  next_event_ = batch_.data();
  new_place_count_ = 0;
}

/// REQUIRES: room in the batch.
MINI_HOT HeapEvent& EventDecoder::next_event(SlotNumber slot) {
  HeapEvent& event = *next_event_++;
  event.time_ns = time_ns_;
  event.address = Address{prediction_.address(slot)};
  event.thread = prediction_.current_thread();
  event.place = slot;
  return event;
}

/// What few events have: true where it is an allocation or a free all the same.
inline bool EventDecoder::read_rare(std::uint8_t code) {
  if ((code & kCodeLater) != 0 && !read_time()) return false;
  return (code & kCodeThread) == 0 || read_thread();
}

MINI_HOT bool EventDecoder::read_event(std::uint8_t code, Visitor& visitor) {
  if ((code & (kCodeLater | kCodeThread | kCodeOther)) != 0) [[unlikely]] {
    if (!read_rare(code) || !prediction_.has_current_thread()) return false;
    if ((code & kCodeOther) != 0) return read_other(code, visitor);
  }
  return (code & kCodeFree) != 0 ? read_free(code) : read_allocation(code);
}

inline bool EventDecoder::read_time() {
  const auto tick = checked_add(tick_, column(Column::kTicks).varint());
  if (!tick || column(Column::kTicks).is_bad()) return false;
  const auto time = checked_multiply(*tick, tick_ns_);
  if (!time) return false;
  tick_ = *tick;
  time_ns_ = std::max(time_ns_, *time);
  return true;
}

inline bool EventDecoder::read_thread() {
  ByteReader& threads = column(Column::kThreads);
  const std::uint64_t local = threads.varint();
  if (local == prediction_.thread_count() + 1 && local <= kMaxThreads) {
    const std::uint64_t number = threads.varint();
    if (number > UINT32_MAX) return false;
    prediction_.new_thread(static_cast<ThreadNumber>(number));
  }
  if (threads.is_bad() || local == 0 || local > prediction_.thread_count()) return false;
  prediction_.set_current_thread(static_cast<LocalThread>(local));
  return true;
}

/// The next stack of its column if `is_wanted`, else the predicted one; 0 where there is none such.
MINI_HOT LocalStack EventDecoder::read_stack(bool is_wanted) {
  const LocalStack expected = prediction_.expected_stack();
  ByteReader& stacks = column(Column::kStacks);
  if (stacks.at_end()) [[unlikely]]
    return is_wanted ? LocalStack{0} : expected;
  const LocalStack next = stacks.peek(0);
  if (next >= short_stack_end_) [[unlikely]]
    return is_wanted ? read_long_stack() : expected;
  stacks.skip(static_cast<std::size_t>(is_wanted));
  return one_of(is_wanted, next, expected);
}

/// One with a number of several bytes, or one that is new.
LocalStack EventDecoder::read_long_stack() {
  const std::uint64_t local = column(Column::kStacks).varint();
  const std::size_t count = prediction_.stack_count();
  if (local > count && (local != count + 1 || !read_new_stack())) return 0;
  return static_cast<LocalStack>(local);
}

bool EventDecoder::read_new_stack() {
  ByteReader& new_stacks = column(Column::kNewStacks);
  const std::uint64_t number = last_new_stack_ + new_stacks.signed_varint();
  const std::uint8_t kind = new_stacks.byte();
  if (new_stacks.is_bad() || number > UINT32_MAX) return false;
  last_new_stack_ = static_cast<StackNumber>(number);
  prediction_.new_stack(last_new_stack_, call_kind(kind));
  note_stack_count();
  return true;
}

void EventDecoder::note_stack_count() {
  constexpr std::size_t kLongNumber = 0x80;
  short_stack_end_ = static_cast<LocalStack>(std::min(prediction_.stack_count() + 1, kLongNumber));
}

MINI_HOT bool EventDecoder::read_size(std::uint64_t& size) {
  if (next_size_ == sizes_end_) [[unlikely]]
    return false;
  size = *next_size_++;
  if (size == kLongSize) [[unlikely]]
    size = *next_long_size_++;
  return true;
}

/// The next number in the columns of slots if `is_wanted`, else `other`.
MINI_HOT SlotNumber EventDecoder::read_slot(bool is_wanted, SlotNumber other) {
  const SlotNumber next = *next_slot_;
  prediction_.prefetch(next_slot_[kAhead]);
  next_slot_ += static_cast<std::size_t>(is_wanted);
  return one_of(is_wanted, next, other);
}

/// At most one for each event of the batch: an event that is read up to its slot is handed on.
inline SlotNumber EventDecoder::new_slot(std::uint64_t address) {
  new_places_[new_place_count_++] = Address{address};
  return prediction_.new_slot(address);
}

bool EventDecoder::read_new_slot(std::uint64_t expected, SlotNumber& slot) {
  ByteReader& addresses = column(Column::kAddresses);
  const std::uint64_t difference = addresses.signed_varint() << address_shift_;
  if (addresses.is_bad()) return false;
  slot = new_slot(expected + difference);
  return true;
}

/// The slot of an allocation, perhaps one that there is not.
MINI_HOT SlotNumber EventDecoder::place_allocation(std::uint8_t mode, SizeClass size_class) {
  if (mode == kModePredicted || mode == kModeSlot) {
    return read_slot(mode == kModeSlot, prediction_.expected_free_slot(size_class));
  }
  const std::uint64_t expected = prediction_.expected_address();
  SlotNumber slot = 0;
  if (mode == kModeNext) {
    slot = new_slot(expected);
  } else if (!read_new_slot(expected, slot)) {
    return 0;
  }
  prediction_.new_block_seen(prediction_.address(slot), size_class);
  return slot;
}

MINI_HOT bool EventDecoder::read_allocation(std::uint8_t code) {
  const LocalStack stack = read_stack((code & kCodeStack) != 0);
  if (stack == 0) return false;
  prediction_.stack_seen(stack);
  Prediction::Stack& known = prediction_.stack(stack);
  if ((code & kCodeSize) != 0 && !read_size(known.size)) return false;
  const SizeClass size_class = mini::recording::size_class(class_rule_, known.size);
  const SlotNumber slot = place_allocation(code & kCodeModeMask, size_class);
  if (!prediction_.has_slot(slot)) return false;
  prediction_.allocated(slot, size_class);
  HeapEvent& event = next_event(slot);
  event.requested_bytes = known.size;
  event.stack = known.number;
  event.kind = static_cast<CallKind>(known.kind);
  event.is_free = false;
  if (has_weights_ && !column(Column::kWeights).take_varint(event.weight_bytes)) {
    --next_event_;
    return false;
  }
  return true;
}

/// The slot of a free, perhaps one that there is not.
MINI_HOT SlotNumber EventDecoder::place_free(std::uint8_t mode) {
  if (mode == kModePredicted) return prediction_.expected_live_slot();
  if (mode == kModeNext) return prediction_.slot_after_freed();
  if (mode == kModeSlot) return read_slot(true, 0);
  SlotNumber slot = 0;
  return read_new_slot(prediction_.newest_address(), slot) ? slot : SlotNumber{0};
}

MINI_HOT bool EventDecoder::read_free(std::uint8_t code) {
  StackNumber number = 0;
  if ((code & (kCodeStack | kCodeSameStack)) != 0) {
    const LocalStack stack = read_stack((code & kCodeStack) != 0);
    if (stack == 0) return false;
    prediction_.stack_seen(stack);
    number = prediction_.stack(stack).number;
  }
  const SlotNumber slot = place_free(code & kCodeModeMask);
  if (!prediction_.has_slot(slot)) return false;
  prediction_.freed(slot);
  ++frees_;
  HeapEvent& event = next_event(slot);
  event.stack = number;
  event.is_free = true;
  return true;
}

void EventDecoder::read_sample(ByteReader record, Visitor& visitor) const {
  KernelSample sample;
  sample.time_ns = time_ns_;
  for (std::uint64_t* field :
       {&sample.resident.count, &sample.peak_resident.count, &sample.agent_resident.count,
        &sample.break_bytes.count, &sample.mapped_bytes.count, &sample.minor_faults,
        &sample.major_faults, &sample.proportional.count}) {
    *field = record.varint_or_0();
  }
  visitor.sample(sample);
}

/// An operation that this reader does not know is no mapping to it.
void EventDecoder::read_mapping(ByteReader record, Visitor& visitor) const {
  Mapping mapping{.time_ns = time_ns_, .thread = prediction_.current_thread()};
  const std::uint64_t operation = record.varint_or_0();
  if (operation > static_cast<std::uint64_t>(Mapping::Operation::kDiscard)) return;
  mapping.operation = static_cast<Mapping::Operation>(operation);
  for (std::uint64_t* field : {&mapping.address.value, &mapping.bytes.count,
                               &mapping.old_address.value, &mapping.old_bytes.count}) {
    *field = record.varint_or_0();
  }
  const std::uint64_t stack = record.varint_or_0();
  mapping.stack = stack <= UINT32_MAX ? static_cast<StackNumber>(stack) : 0;
  visitor.mapping(mapping);
}

void EventDecoder::read_touch(ByteReader record, Visitor& visitor) const {
  Touch touch{.time_ns = time_ns_, .thread = prediction_.current_thread()};
  touch.address = Address{record.varint_or_0()};
  const std::uint64_t stack = record.varint_or_0();
  touch.stack = stack <= UINT32_MAX ? static_cast<StackNumber>(stack) : 0;
  visitor.touch(touch);
}

bool EventDecoder::read_other(std::uint8_t code, Visitor& visitor) {
  ByteReader record = column(Column::kOthers).record();
  if (column(Column::kOthers).is_bad()) return false;
  hand_on(visitor);
  const unsigned type = (code & kCodeOtherMask) >> kCodeOtherShift;
  if (type == kOtherSample) read_sample(record, visitor);
  if (type == kOtherMapping) read_mapping(record, visitor);
  if (type == kOtherTouch) read_touch(record, visitor);
  if (type == kOtherUsable) {
    UsableSize usable{.time_ns = time_ns_, .thread = prediction_.current_thread()};
    usable.requested_bytes = record.varint_or_0();
    usable.usable_bytes = record.varint_or_0();
    visitor.usable_size(usable);
  }
  if (type == kOtherTouchWatch) {
    TouchWatch watch{.time_ns = time_ns_, .refusal = record.string()};
    if (record.is_bad()) return false;
    watch.lost = record.varint_or_0();
    visitor.touch_watch(watch);
  }
  if (type == kOtherMarker) {
    Marker marker{
        .time_ns = time_ns_, .thread = prediction_.current_thread(), .text = record.string()};
    if (record.is_bad()) return false;
    visitor.marker(marker);
  }
  return true;
}

}  // namespace mini::recording
