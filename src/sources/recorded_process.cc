// Everything in a slot is read once, checked, and then used.
#include "sources/recorded_process.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "sources/module_file.h"
#include "sources/recording_file.h"
#include "unwind/module_cache.h"
#include "wire/clock.h"
#include "wire/record.h"

namespace mini::sources {
namespace {

// For events on their way to the file. Shorter blocks compress worse.
constexpr std::uint64_t kMostWaitNs = 1'000'000'000;

std::string thread_name(pid_t pid, std::uint32_t tid) {
  std::string name = kernel::read_proc_file(pid, fmt::format("task/{}/comm", tid)).value_or("");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

/// The bytes in the words [begin, end) of a record. REQUIRES: they are there.
std::string text_of(const wire::RingReader& reader, std::uint32_t begin, std::uint32_t end) {
  std::string text;
  for (std::uint32_t at = begin; at < end; ++at) {
    const std::uint64_t word = reader.peek(at);
    text.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return text;
}

/// Words of the text or the frames behind the head of a record; more than there can be where it is
/// too long. REQUIRES: the head is there.
std::uint32_t text_words(const wire::RingReader& reader, wire::RecordKind kind) {
  if (kind == wire::RecordKind::kMarker) {
    const std::uint64_t text = reader.peek(wire::kMarkerHeadWords - 1);
    return text > wire::kMostMarkerBytes ? wire::kRingWords
                                         : static_cast<std::uint32_t>((text + 7) / 8);
  }
  if (kind == wire::RecordKind::kStack) return wire::frames_of(reader.peek(0));
  const std::uint64_t lengths = reader.peek(wire::kModuleHeadWords - 1);
  const std::uint64_t path = lengths & UINT32_MAX;
  const std::uint64_t build_id = lengths >> 32;
  if (path > wire::kMostPathBytes || build_id > wire::kMostBuildIdBytes) return wire::kRingWords;
  return static_cast<std::uint32_t>((path + build_id + 7) / 8);
}

}  // namespace

RecordedProcess::RecordedProcess(kernel::SharedMapping slot, pid_t pid, std::string path,
                                 Bytes sample, std::shared_ptr<unwind::ModuleCache> modules,
                                 bool finds_leaks, const ProcessIdentity& origin,
                                 RecordingBegin begin)
    : begin_ns_(begin.ns),
      mapping_(std::move(slot)),
      slot_{mapping_.begin()},
      identity_(identify(slot_.slot(), pid, std::move(path), origin)),
      counts_as_we_do_(kernel::counts_as_we_do(slot_.slot().pid_namespace)),
      handle_(pid),
      sample_(sample),
      module_cache_(std::move(modules)),
      gauge_(pid),
      code_(module_cache_),
      live_(finds_leaks ? std::make_unique<LiveBlocks>() : nullptr),
      stopper_(pid) {
  recording::ProcessFacts facts;
  facts.pid = pid != 0 ? static_cast<std::uint64_t>(pid) : slot_.slot().pid;
  facts.parent_pid = static_cast<std::uint64_t>(identity_.parent_pid);
  facts.command = identity_.command;
  facts.executable = identity_.executable;
  facts.start_unix_ns = begin.unix_ns;
  facts.sample_bytes = sample_.count;
  // A sampled child does not tell of the frees of its parent's blocks.
  if (sample_.count == 0) {
    facts.origin = path_basename(origin.recording);
    facts.origin_fork = slot_.slot().origin_fork;
  }
  auto writer = begin_recording(identity_.recording, facts);
  if (writer) {
    writer_ = std::move(*writer);
  } else {
    error_ = writer.error();
  }
}

std::uint32_t RecordedProcess::origin(const wire::Slot& slot) {
  return slot.is_forked != 0 ? slot.origin : 0;
}

std::optional<std::uint64_t> RecordedProcess::first_ticks(const wire::SlotView& slot) {
  if (slot.slot().rings_taken.load(std::memory_order_acquire) == 0) return std::nullopt;
  wire::RingReader reader(slot.ring(0), slot.words(0));
  if (!reader.look() || reader.available_words() == 0) return std::nullopt;
  const std::uint64_t word = reader.peek(0);
  if (wire::kind_of(word) != wire::RecordKind::kTime) return std::nullopt;
  return wire::time_of(word, wire::now_ticks());
}

void RecordedProcess::find_threads() {
  const std::uint32_t taken =
      std::min(slot_.slot().rings_taken.load(std::memory_order_acquire), wire::kRings);
  while (threads_.size() < taken) {
    const auto ring = static_cast<std::uint32_t>(threads_.size());
    threads_.push_back({.reader = wire::RingReader(slot_.ring(ring), slot_.words(ring))});
  }
}

// A ring belongs to one thread after the other.
void RecordedProcess::begin_thread(Thread& thread) {
  const std::uint32_t tid = thread.reader.head().tid;
  if (thread.number != 0 && thread.tid == tid) return;
  thread.tid = tid;
  thread.number = number_of_thread(tid);
}

recording::ThreadNumber RecordedProcess::number_of_thread(std::uint32_t tid) {
  const auto [known, is_new] = thread_numbers_.try_emplace(tid);
  if (is_new) known->second = writer_->define_thread({.tid = tid, .name = thread_name(pid(), tid)});
  return known->second;
}

/// Words of the next record; 0 where it makes no sense, or not all of it is there.
inline std::uint32_t RecordedProcess::record_words(const wire::RingReader& reader) {
  const wire::RecordKind kind = wire::kind_of(reader.peek(0));
  const std::uint64_t available = reader.available_words();
  std::uint32_t words = wire::head_words(kind);
  if (words == 0 || words > available) return 0;
  if (kind == wire::RecordKind::kMarker || kind == wire::RecordKind::kModule ||
      kind == wire::RecordKind::kStack) [[unlikely]] {
    words += text_words(reader, kind);
  }
  return words <= available ? words : 0;
}

// A time is read together with what it is the time of.
std::optional<std::uint64_t> RecordedProcess::next_time(Thread& thread, std::uint64_t until) {
  if (!thread.is_sound) return std::nullopt;
  wire::RingReader& reader = thread.reader;
  for (; reader.available_words() != 0; reader.skip(1)) {
    const std::uint64_t word = reader.peek(0);
    if (wire::kind_of(word) != wire::RecordKind::kTime) return thread.ticks;
    thread.ticks = wire::time_of(word, until);
  }
  return std::nullopt;
}

// What cannot be written is read all the same: its threads would wait for room.
void RecordedProcess::look_at_rings() {
  find_threads();
  for (Thread& thread : threads_) {
    if (!thread.is_sound) continue;
    thread.is_sound = thread.reader.look();
    const std::uint64_t words = thread.reader.available_words();
    if (writer_ == nullptr) {
      thread.reader.skip(words);
    } else if (words != 0) {
      begin_thread(thread);
    }
  }
}

void RecordedProcess::drain(std::uint64_t until, const TickClock& clock) {
  if (!is_read_to_its_end_) look_at_rings();
  if (writer_ != nullptr) read_in_order(until, clock);
  free_rings();
}

void RecordedProcess::end_reading() {
  is_read_to_its_end_ = true;
  for (Thread& thread : threads_) thread.reader.skip(thread.reader.available_words());
}

// The thread that is behind goes on, up to where the next one is.
void RecordedProcess::read_in_order(std::uint64_t until, const TickClock& clock) {
  while (true) {
    Thread* first = nullptr;
    std::uint64_t first_time = until;
    std::uint64_t second_time = until;
    for (Thread& thread : threads_) {
      const auto time = next_time(thread, until);
      if (!time || *time > until) continue;
      if (first == nullptr || *time < first_time) {
        second_time = first == nullptr ? until : first_time;
        first_time = *time;
        first = &thread;
      } else {
        second_time = std::min(second_time, *time);
      }
    }
    if (first == nullptr) break;
    read_records(*first, second_time, clock);
  }
  const std::uint64_t now_ns = since_begin(clock.ns(until));
  if (!faults_.empty()) write_page_faults(now_ns);
  writer_->write_older(now_ns - std::min(now_ns, kMostWaitNs));
}

// What was read is room again; rings of threads that have ended are for others.
void RecordedProcess::free_rings() {
  const bool are_wanted = slot_.slot().rings_wanted.load(std::memory_order_acquire) != 0;
  if (are_wanted) close_rings_of_ended();
  for (Thread& thread : threads_) release(thread);
  if (are_wanted) {
    slot_.slot().rings_wanted.store(0, std::memory_order_release);
    kernel::wake_waiter(reinterpret_cast<std::uint32_t*>(&slot_.slot().rings_wanted));
  }
}

// Of threads that ended without a word; 0 is none's that could have ended. The same number may be
// that of a later thread by now, which has another ring; then this one stays until that has ended,
// too.
void RecordedProcess::close_rings_of_ended() {
  if (!counts_as_we_do_) return;
  for (const Thread& thread : threads_) {
    wire::RingHead& head = thread.reader.head();
    auto owned = wire::RingState::kOwned;
    if (head.state.load(std::memory_order_acquire) == owned &&
        kernel::has_no_thread(static_cast<pid_t>(head.tid))) {
      head.state.compare_exchange_strong(owned, wire::RingState::kClosed,
                                         std::memory_order_relaxed);
    }
  }
}

void RecordedProcess::release(Thread& thread) {
  wire::RingHead& head = thread.reader.head();
  thread.reader.release();
  if (head.is_full.exchange(0, std::memory_order_seq_cst) != 0) {
    kernel::wake_waiter(reinterpret_cast<std::uint32_t*>(&head.is_full));
  }
  auto closed = wire::RingState::kClosed;
  if (!is_read_to_its_end_ && thread.reader.available_words() == 0 &&
      head.state.load(std::memory_order_acquire) == closed && thread.reader.look() &&
      thread.reader.available_words() == 0) {
    thread.number = 0;
    thread_numbers_.erase(thread.tid);
    head.tid = 0;
    head.state.compare_exchange_strong(closed, wire::RingState::kFree, std::memory_order_release);
  }
}

void RecordedProcess::go_on_to(std::uint64_t time_ns) {
  if (!faults_.empty()) {
    hand_on();
    write_page_faults(time_ns);
  }
  last_ns_ = std::max(last_ns_, time_ns);
}

void RecordedProcess::read_records(Thread& thread, std::uint64_t until, const TickClock& clock) {
  wire::RingReader& reader = thread.reader;
  go_on_to(since_begin(clock.ns(thread.ticks)));
  while (reader.available_words() != 0) {
    const std::uint64_t word = reader.peek(0);
    if (read_heap_event(thread, word)) continue;
    if (wire::kind_of(word) == wire::RecordKind::kTime) {
      thread.ticks = wire::time_of(word, until);
      reader.skip(1);
      if (thread.ticks > until) break;
      go_on_to(since_begin(clock.ns(thread.ticks)));
      continue;
    }
    if (wire::kind_of(word) != wire::RecordKind::kStack) hand_on();
    const std::uint32_t words = record_words(reader);
    thread.is_sound = words != 0;
    if (thread.is_sound) read_record(thread, words);
    if (!thread.is_sound) break;
    reader.skip(words);
  }
  hand_on();
}

void RecordedProcess::hand_on() {
  if (batch_size_ != 0) writer_->add(std::span(batch_).first(batch_size_));
  batch_size_ = 0;
}

inline recording::HeapEvent& RecordedProcess::next_event(const Thread& thread, std::uint64_t word) {
  if (batch_size_ == batch_.size()) hand_on();
  recording::HeapEvent& event = batch_[batch_size_++];
  event.time_ns = last_ns_;
  event.address = Address{wire::address_of(word)};
  event.thread = thread.number;
  return event;
}

inline void RecordedProcess::read_allocation(const Thread& thread, std::uint64_t word,
                                             recording::HeapEvent& event) {
  const std::uint64_t second = thread.reader.peek(1);
  constexpr auto kLastKind = static_cast<std::uint8_t>(wire::CallKind::kRestored);
  constexpr std::uint8_t kKindMask = wire::kPoolDetail - 1;
  const bool is_large = wire::kind_of(word) == wire::RecordKind::kLargeAllocation;
  event.requested_bytes = is_large ? thread.reader.peek(2) : second >> wire::kStackBits;
  event.weight_bytes =
      sample_.count == 0 ? 0 : recording::sample_weight(event.requested_bytes, sample_.count);
  event.stack = thread.stack(second & wire::kMostStacks);
  event.kind = static_cast<recording::CallKind>(
      std::min<std::uint8_t>(wire::detail_of(word) & kKindMask, kLastKind));
  // A pool's blocks are part of another one, which is looked at.
  if (live_ != nullptr && event.kind != recording::CallKind::kPool) {
    live_->put(event.address, {.bytes = std::min(event.requested_bytes, LiveBlocks::kMostBytes)});
  }
}

/// Reads the record that begins with `word`, if that is an allocation or a free, and all of it is
/// there.
inline bool RecordedProcess::read_heap_event(Thread& thread, std::uint64_t word) {
  wire::RingReader& reader = thread.reader;
  const wire::RecordKind kind = wire::kind_of(word);
  const bool is_allocation =
      kind == wire::RecordKind::kAllocation || kind == wire::RecordKind::kLargeAllocation;
  const bool has_stack = kind == wire::RecordKind::kFreeWithStack;
  if (!is_allocation && !has_stack && kind != wire::RecordKind::kFree) return false;
  const std::uint32_t words = wire::head_words(kind);
  if (words > reader.available_words()) return false;
  recording::HeapEvent& event = next_event(thread, word);
  event.is_free = !is_allocation;
  if (is_allocation) {
    read_allocation(thread, word, event);
  } else {
    event.stack = has_stack ? thread.stack(reader.peek(1)) : 0;
    if (live_ != nullptr) live_->take(event.address);
  }
  reader.skip(words);
  return true;
}

/// REQUIRES: so many words are there.
inline void RecordedProcess::read_record(Thread& thread, std::uint32_t words) {
  const wire::RingReader& reader = thread.reader;
  const wire::RecordKind kind = wire::kind_of(reader.peek(0));
  switch (kind) {
    case wire::RecordKind::kModule:
      return add_module(thread, words);
    case wire::RecordKind::kStack:
      return add_stack(thread, words - wire::head_words(kind));
    case wire::RecordKind::kModuleGone:
      modules_.erase(reader.peek(1));
      return;
    case wire::RecordKind::kMapping:
      return read_mapping(thread);
    case wire::RecordKind::kMarker:
      return writer_->add(recording::Marker{
          .time_ns = last_ns_,
          .thread = thread.number,
          .text = text_of(reader, wire::kMarkerHeadWords, words).substr(0, reader.peek(1))});
    case wire::RecordKind::kUsable:
      return writer_->add(recording::UsableSize{.time_ns = last_ns_,
                                                .thread = thread.number,
                                                .requested_bytes = reader.peek(1),
                                                .usable_bytes = reader.peek(2)});
    case wire::RecordKind::kFork:
      return writer_->add(recording::Fork{.time_ns = last_ns_, .number = reader.peek(1)});
    case wire::RecordKind::kAllocation:
    case wire::RecordKind::kLargeAllocation:
    case wire::RecordKind::kFree:
    case wire::RecordKind::kFreeWithStack:
    case wire::RecordKind::kTime:
    case wire::RecordKind::kNone:
      return;
  }
}

void RecordedProcess::read_mapping(const Thread& thread) {
  const wire::RingReader& reader = thread.reader;
  constexpr auto kLast = static_cast<std::uint8_t>(wire::MappingOperation::kDiscard);
  const std::uint8_t operation = std::min(wire::detail_of(reader.peek(0)), kLast);
  writer_->add(
      recording::Mapping{.time_ns = last_ns_,
                         .thread = thread.number,
                         .operation = static_cast<recording::Mapping::Operation>(operation),
                         .address = Address{reader.peek(1)},
                         .bytes = Bytes{reader.peek(2)},
                         .old_address = Address{reader.peek(3)},
                         .old_bytes = Bytes{reader.peek(4)},
                         .stack = thread.stack(reader.peek(5))});
}

void RecordedProcess::add_module(const Thread& thread, std::uint32_t words) {
  const wire::RingReader& reader = thread.reader;
  const std::uint64_t lengths = reader.peek(wire::kModuleHeadWords - 1);
  const std::size_t path_bytes = lengths & UINT32_MAX;
  const std::size_t id_bytes = lengths >> 32;
  // The lengths may have changed since they were checked.
  const std::string bytes = text_of(reader, wire::kModuleHeadWords, words);
  recording::ModuleFacts facts;
  facts.path = bytes.substr(0, path_bytes);
  facts.load_bias = Address{reader.peek(1)};
  for (std::size_t i = path_bytes; i < std::min(path_bytes + id_bytes, bytes.size()); ++i) {
    facts.build_id += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  // The loader has no name for the program itself.
  if (facts.path.empty()) facts.path = identity_.executable;
  const auto known = code_modules_.find(key_of(facts));
  const recording::ModuleNumber number =
      known != code_modules_.end() ? known->second : writer_->define_module(facts);
  if (known == code_modules_.end()) {
    files_.resize(std::max<std::size_t>(files_.size(), number));
    // Opened now: the file may be gone when its frames are named.
    files_[number - 1] = open_module_file(
        *module_cache_, pid(),
        {.path = facts.path, .begin = Address{reader.peek(2)}, .build_id = facts.build_id});
  }
  modules_[reader.peek(2)] = {
      .end = reader.peek(3), .load_bias = facts.load_bias.value, .number = number};
}

/// Of those that the agent has told of.
const RecordedProcess::LoadedModule* RecordedProcess::module_at(std::uint64_t pc) const {
  const auto after = modules_.upper_bound(pc - 1);  // a return address: the call is before it
  if (after == modules_.begin()) return nullptr;
  const LoadedModule& module = std::prev(after)->second;
  return pc <= module.end ? &module : nullptr;
}

recording::FrameNumber RecordedProcess::frame_of(std::uint64_t pc) {
  const LoadedModule* const module = module_at(pc);
  if (module == nullptr) return writer_->frame({.module = 0, .address = pc});
  return writer_->frame({.module = module->number, .address = pc - module->load_bias});
}

// What keeps more frames than there were, or makes a stack deeper than any, was not written by an
// agent.
void RecordedProcess::add_stack(Thread& thread, std::uint32_t frames) {
  const wire::RingReader& reader = thread.reader;
  const std::uint64_t word = reader.peek(0);
  if ((wire::detail_of(word) & wire::kForgetsStacks) != 0) {
    thread.stacks.resize(1);
    thread.told.clear();
  }
  const std::uint32_t kept = wire::kept_of(word);
  if (kept > thread.told.size() || frames > wire::kMostFrames - kept ||
      thread.stacks.size() > wire::kMostStacks) {
    thread.is_sound = false;
    return;
  }
  thread.told.resize(kept);
  recording::StackNumber stack = thread.told.empty() ? 0 : thread.told.back();
  for (std::uint32_t i = 1; i <= frames; ++i) {
    stack = writer_->stack(stack, frame_of(reader.peek(i)));
    thread.told.push_back(stack);
  }
  if ((wire::detail_of(word) & wire::kGoesOn) == 0) thread.stacks.push_back(stack);
}

}  // namespace mini::sources
