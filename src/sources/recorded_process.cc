// Everything in a slot is read once, checked, and then used.
#include "sources/recorded_process.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/text.h"
#include "kernel/proc_file.h"
#include "sources/recording_file.h"
#include "unwind/module_cache.h"
#include "wire/clock.h"
#include "wire/record.h"

namespace mini::sources {
namespace {

// For events on their way to the file. Shorter blocks compress worse.
constexpr std::uint64_t kMostWaitNs = 1'000'000'000;

recording::CallKind call_kind(std::uint64_t word) {
  constexpr auto kLast = static_cast<std::uint8_t>(wire::CallKind::kRestored);
  constexpr std::uint8_t kMask = wire::kPoolDetail - 1;
  return static_cast<recording::CallKind>(
      std::min<std::uint8_t>(wire::detail_of(word) & kMask, kLast));
}

std::string thread_name(pid_t pid, std::uint32_t tid) {
  std::string name = kernel::read_proc_file(pid, fmt::format("task/{}/comm", tid)).value_or("");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

}  // namespace

RecordedProcess::RecordedProcess(kernel::SharedMapping slot, pid_t pid, std::string path,
                                 Bytes sample, std::shared_ptr<unwind::ModuleCache> modules,
                                 bool finds_leaks, const ProcessIdentity& origin,
                                 RecordingBegin begin)
    : begin_ns_(begin.ns),
      mapping_(std::move(slot)),
      slot_{mapping_.begin()},
      rings_(slot_),
      identity_(identify(slot_.slot(), pid, std::move(path), origin)),
      handle_(pid),
      sample_(sample),
      code_(pid, identity_.executable, std::move(modules)),
      gauge_(pid),
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

/// 0 where it is not written anywhere.
recording::ThreadNumber RecordedProcess::number_of_thread(std::uint32_t tid) {
  if (writer_ == nullptr) return 0;
  const auto [known, is_new] = thread_numbers_.try_emplace(tid);
  if (is_new) {
    known->second = writer_->define_thread({.tid = tid, .name = thread_name(pid(), tid)});
  }
  return known->second;
}

void RecordedProcess::look() {
  rings_.look([this](std::uint32_t tid) { return number_of_thread(tid); });
}

void RecordedProcess::drain(std::uint64_t until, const TickClock& clock) {
  look();
  if (writer_ != nullptr) {
    rings_.read_in_order(until, [&](ThreadRing& ring, std::uint64_t next_time) {
      read_records(ring, next_time, clock);
    });
    const std::uint64_t now_ns = since_begin(clock.ns(until));
    write_waiting(now_ns);
    writer_->write_older(now_ns - std::min(now_ns, kMostWaitNs));
  } else {
    rings_.skip_all();  // its threads would wait for room
  }
  rings_.give_back([this](std::uint32_t tid) { thread_numbers_.erase(tid); });
}

void RecordedProcess::look_last() {
  look();
  rings_.end();
}

void RecordedProcess::end_reading() {
  rings_.skip_all();
  rings_.end();
}

void RecordedProcess::go_on_to(std::uint64_t time_ns) {
  if (have_waited(time_ns)) {
    hand_on();
    write_waiting(time_ns);
  }
  last_ns_ = std::max(last_ns_, time_ns);
}

void RecordedProcess::read_records(ThreadRing& ring, std::uint64_t until, const TickClock& clock) {
  wire::RingReader& reader = ring.reader;
  go_on_to(since_begin(clock.ns(ring.ticks)));
  while (read_heap_events(ring), reader.available_words() != 0) {
    const std::uint64_t word = reader.peek(0);
    if (wire::kind_of(word) == wire::RecordKind::kTime) {
      ring.ticks = wire::time_of(word, until);
      reader.skip(1);
      if (ring.ticks > until) break;
      go_on_to(since_begin(clock.ns(ring.ticks)));
      continue;
    }
    if (wire::kind_of(word) != wire::RecordKind::kStack) hand_on();
    const std::uint32_t words = record_words(reader);
    ring.is_sound = words != 0 && read_record(ring, words);
    if (!ring.is_sound) break;
    reader.skip(words);
  }
  hand_on();
}

void RecordedProcess::hand_on() {
  if (batch_end_ != batch_.begin()) writer_->add(std::span(batch_.begin(), batch_end_));
  batch_end_ = batch_.begin();
}

/// Reads the allocations and frees at the front, as far as all of each record is there.
//
// By copies, which are in registers: whatever is stored into an event could be part of what members
// point at, and all of that would be loaded anew after each. Of an event that is what was there
// before, what nobody looks at.
void RecordedProcess::read_heap_events(ThreadRing& ring) {
  wire::RingReader reader = ring.reader;
  const ToldStacks::Numbers stacks = ring.stacks.numbers();
  const recording::ThreadNumber thread = ring.number;
  const std::uint64_t time_ns = last_ns_;
  const std::uint64_t sample_bytes = sample_.count;
  LiveBlocks* const live = live_.get();
  recording::HeapEvent* event = batch_end_;
  while (reader.available_words() != 0) {
    const std::uint64_t word = reader.peek(0);
    const wire::RecordKind kind = wire::kind_of(word);
    const std::uint64_t words = wire::heap_event_words(kind);
    if (words - 1 >= reader.available_words()) break;
    if (event == batch_.end()) [[unlikely]] {
      batch_end_ = event;
      hand_on();
      event = batch_end_;
    }
    event->time_ns = time_ns;
    event->thread = thread;
    event->address = Address{wire::address_of(word)};
    event->is_free = words == 1 || kind == wire::RecordKind::kFreeWithStack;
    if (event->is_free) {
      event->stack = words == 1 ? 0 : stacks[reader.peek(1)];
      if (live != nullptr) [[unlikely]]
        live->take(event->address);
    } else {
      const std::uint64_t second = reader.peek(1);
      event->requested_bytes = words == 2 ? second >> wire::kStackBits : reader.peek(2);
      event->weight_bytes = 0;
      event->stack = stacks[second & wire::kMostStacks];
      event->kind = call_kind(word);
      if (sample_bytes != 0) [[unlikely]]
        event->weight_bytes = recording::sample_weight(event->requested_bytes, sample_bytes);
      // A pool's blocks are part of another one, which is looked at.
      if (live != nullptr && event->kind != recording::CallKind::kPool) [[unlikely]]
        live->put(event->address,
                  {.bytes = std::min(event->requested_bytes, LiveBlocks::kMostBytes)});
    }
    ++event;
    reader.skip(words);
  }
  batch_end_ = event;
  ring.reader = reader;
}

inline bool RecordedProcess::read_record(ThreadRing& ring, std::uint32_t words) {
  const wire::RingReader& reader = ring.reader;
  const wire::RecordKind kind = wire::kind_of(reader.peek(0));
  switch (kind) {
    case wire::RecordKind::kModule:
      code_.add_module(*writer_, read_module(reader, words));
      break;
    case wire::RecordKind::kStack:
      return read_stack(ring, words - wire::head_words(kind));
    case wire::RecordKind::kModuleGone:
      code_.remove_module(reader.peek(1));
      break;
    case wire::RecordKind::kMapping:
      read_mapping(ring);
      break;
    case wire::RecordKind::kMarker:
      writer_->add(recording::Marker{
          .time_ns = last_ns_, .thread = ring.number, .text = read_marker_text(reader, words)});
      break;
    case wire::RecordKind::kUsable:
      writer_->add(recording::UsableSize{.time_ns = last_ns_,
                                         .thread = ring.number,
                                         .requested_bytes = reader.peek(1),
                                         .usable_bytes = reader.peek(2)});
      break;
    case wire::RecordKind::kFork:
      writer_->add(recording::Fork{.time_ns = last_ns_, .number = reader.peek(1)});
      break;
    case wire::RecordKind::kAllocation:
    case wire::RecordKind::kLargeAllocation:
    case wire::RecordKind::kFree:
    case wire::RecordKind::kFreeWithStack:
    case wire::RecordKind::kTime:
    case wire::RecordKind::kNone:
      break;
  }
  return true;
}

inline bool RecordedProcess::read_stack(ThreadRing& ring, std::uint32_t frames) {
  const wire::RingReader& reader = ring.reader;
  return ring.stacks.add(reader.peek(0), frames,
                         [&](recording::StackNumber stack, std::uint32_t frame) {
                           return writer_->stack(stack, code_.frame(*writer_, reader.peek(frame)));
                         });
}

void RecordedProcess::read_mapping(const ThreadRing& ring) {
  const wire::RingReader& reader = ring.reader;
  constexpr auto kLast = static_cast<std::uint8_t>(wire::MappingOperation::kDiscard);
  const std::uint8_t operation = std::min(wire::detail_of(reader.peek(0)), kLast);
  writer_->add(
      recording::Mapping{.time_ns = last_ns_,
                         .thread = ring.number,
                         .operation = static_cast<recording::Mapping::Operation>(operation),
                         .address = Address{reader.peek(1)},
                         .bytes = Bytes{reader.peek(2)},
                         .old_address = Address{reader.peek(3)},
                         .old_bytes = Bytes{reader.peek(4)},
                         .stack = ring.stacks.numbers()[reader.peek(5)]});
}

}  // namespace mini::sources
