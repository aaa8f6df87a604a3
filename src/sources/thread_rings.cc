#include "sources/thread_rings.h"

#include "kernel/proc_file.h"
#include "kernel/shared_file.h"
#include "wire/clock.h"

namespace mini::sources {

ThreadRings::ThreadRings(wire::SlotView slot)
    : slot_(slot), counts_as_we_do_(kernel::counts_as_we_do(slot.slot().pid_namespace)) {}

std::optional<std::uint64_t> ThreadRings::first_ticks(const wire::SlotView& slot) {
  if (slot.slot().rings_taken.load(std::memory_order_acquire) == 0) return std::nullopt;
  wire::RingReader reader(slot.ring(0), slot.words(0));
  if (!reader.look() || reader.available_words() == 0) return std::nullopt;
  const std::uint64_t word = reader.peek(0);
  if (wire::kind_of(word) != wire::RecordKind::kTime) return std::nullopt;
  return wire::time_of(word, wire::now_ticks());
}

void ThreadRings::find_new() {
  const std::uint32_t taken =
      std::min(slot_.slot().rings_taken.load(std::memory_order_acquire), wire::kRings);
  while (rings_.size() < taken) {
    const auto ring = static_cast<std::uint32_t>(rings_.size());
    rings_.push_back({.reader = wire::RingReader(slot_.ring(ring), slot_.words(ring))});
  }
}

void ThreadRings::look(const NumberOf& number_of) {
  if (has_ended_) return;
  find_new();
  for (ThreadRing& ring : rings_) {
    if (!ring.is_sound) continue;
    ring.is_sound = ring.reader.look();
    if (ring.reader.available_words() == 0) continue;
    const std::uint32_t tid = ring.reader.head().tid;
    if (ring.number != 0 && ring.tid == tid) continue;
    ring.tid = tid;
    ring.number = number_of(tid);
  }
}

void ThreadRings::skip_all() {
  for (ThreadRing& ring : rings_) ring.reader.skip(ring.reader.available_words());
}

void ThreadRings::give_back(const OnEnd& on_end) {
  const bool are_wanted = slot_.slot().rings_wanted.load(std::memory_order_acquire) != 0;
  if (are_wanted) close_those_of_ended();
  for (ThreadRing& ring : rings_) give_back(ring, on_end);
  if (are_wanted) {
    slot_.slot().rings_wanted.store(0, std::memory_order_release);
    kernel::wake_waiter(reinterpret_cast<std::uint32_t*>(&slot_.slot().rings_wanted));
  }
}

// Of threads that ended without a word; 0 is none's that could have ended. The same number may be
// that of a later thread by now, which has another ring; then this one stays until that has ended,
// too.
void ThreadRings::close_those_of_ended() {
  if (!counts_as_we_do_) return;
  for (const ThreadRing& ring : rings_) {
    wire::RingHead& head = ring.reader.head();
    auto owned = wire::RingState::kOwned;
    if (head.state.load(std::memory_order_acquire) == owned &&
        kernel::has_no_thread(static_cast<pid_t>(head.tid))) {
      head.state.compare_exchange_strong(owned, wire::RingState::kClosed,
                                         std::memory_order_relaxed);
    }
  }
}

void ThreadRings::give_back(ThreadRing& ring, const OnEnd& on_end) {
  wire::RingHead& head = ring.reader.head();
  ring.reader.release();
  if (head.is_full.exchange(0, std::memory_order_seq_cst) != 0) {
    kernel::wake_waiter(reinterpret_cast<std::uint32_t*>(&head.is_full));
  }
  auto closed = wire::RingState::kClosed;
  if (!has_ended_ && ring.reader.available_words() == 0 &&
      head.state.load(std::memory_order_acquire) == closed && ring.reader.look() &&
      ring.reader.available_words() == 0) {
    ring.number = 0;
    on_end(ring.tid);
    head.tid = 0;
    head.state.compare_exchange_strong(closed, wire::RingState::kFree, std::memory_order_release);
  }
}

}  // namespace mini::sources
