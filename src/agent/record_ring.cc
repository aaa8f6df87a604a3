#include "agent/record_ring.h"

#include "agent/code.h"
#include "agent/patience.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "wire/clock.h"
#include "wire/record.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;

constexpr std::uint64_t kWaitNs = 5'000'000;

constexpr std::uint32_t kMostEventsATime = 63;
constexpr std::uint64_t kMostTicksATime = std::uint64_t{1} << 15;  // some 10 microseconds

}  // namespace

void RecordRing::open(Session& session, std::uint32_t number) {
  number_ = number;
  wire::RingHead& head = session.slot().ring(number);
  head.tid = vm::thread_id();
  ring_ = wire::RingWriter(head, session.slot().words(number));
  events_to_time_ = events_a_time_ = 0;
  ticks_ = wire::now_ticks();
  look_at_words_ = 0;
  session_ = &session;
  gave_up_ = false;
}

void RecordRing::close() {
  session_ = nullptr;
  ring_.head().state.store(wire::RingState::kClosed, std::memory_order_release);
}

void RecordRing::take_back() {
  ring_ = wire::RingWriter(ring_.head(), session_->slot().words(number_));
}

bool RecordRing::wait_for_room(std::uint32_t words) {
  session_->ring_doorbell();
  if (gave_up_ || session_->settings().overflow == wire::Overflow::kDrop) return false;
  wire::RingHead& head = ring_.head();
  // By the clock: the recorder wakes us whenever it has read, with or without room for us.
  for (Patience patience(kMostWaitNs); patience.lasts();) {
    head.is_full.store(1, std::memory_order_seq_cst);
    if (ring_.has_room(words)) {
      head.is_full.store(0, std::memory_order_relaxed);
      return true;
    }
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&head.is_full), 1, kWaitNs);
    if (ring_.has_room(words)) return true;
    if (!wire::has_reader(session_->channel())) {
      session_->lose_recorder();
      return false;
    }
  }
  gave_up_ = true;
  return false;
}

void RecordRing::wake_recorder_if_due() {
  constexpr std::uint32_t kStep = wire::kRingWords / 8;
  look_at_words_ = ring_.written_words() + kStep;
  // A thread that has come this far goes on: the pages of its first way round, in one call.
  if (const std::uint64_t next = (ring_.written_words() / kStep + 1) * kStep;
      next < wire::kRingWords) {
    vm::populate(session_->slot().words(number_) + next, kStep * sizeof(std::uint64_t));
  }
  gave_up_ = false;
  if (!ring_.has_room(wire::kRingWords / 2)) session_->ring_doorbell();
}

// The slower a thread's events come, the fewer of them share a time.
void RecordRing::put_time() {
  seen_beat_ = session_->channel().beat.load(std::memory_order_relaxed);
  const std::uint64_t now = wire::now_ticks();
  // Samples are so far from each other that each would find those pages gone.
  if (session_->settings().sample_bytes == 0 && code_table().has_read_pages()) [[unlikely]]
    discard_read_pages(now, session_->slot().slot());
  const std::uint64_t passed = now - ticks_;
  if (passed > kMostTicksATime) {
    events_a_time_ = passed > 8 * kMostTicksATime ? 0 : events_a_time_ / 2;
  } else if (events_to_time_ == 0 && events_a_time_ < kMostEventsATime) {
    events_a_time_ = 2 * events_a_time_ + 1;
  }
  events_to_time_ = events_a_time_;
  ticks_ = now;
  ring_.put(wire::record_word(wire::RecordKind::kTime, now));
}

void RecordRing::put_texts(const char* first, std::size_t first_bytes, const std::uint8_t* second,
                           std::size_t second_bytes) {
  const std::size_t bytes = first_bytes + second_bytes;
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    for (std::size_t i = at; i < bytes && i < at + sizeof word; ++i) {
      const auto byte =
          i < first_bytes ? static_cast<std::uint8_t>(first[i]) : second[i - first_bytes];
      word |= std::uint64_t{byte} << (8 * (i - at));
    }
    ring_.put(word);
  }
}

}  // namespace mini::agent
