// What a recording needs beside its events: samples of the kernel's side, a search for leaks, an
// ending.
#include <algorithm>
#include <cerrno>
#include <vector>

#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"
#include "sources/leak_scan.h"
#include "sources/recorded_process.h"
#include "wire/clock.h"

namespace mini::sources {

void RecordedProcess::sample(std::uint64_t time_ns) {
  if (writer_ == nullptr) return;
  const auto reading = gauge_.read();
  if (!reading) return;
  most_resident_ = std::max(most_resident_, reading->resident);
  slot_.slot().resident_bytes.store(reading->resident.count, std::memory_order_relaxed);
  constexpr std::uint64_t kMostBytesAStack = 18;  // agent/stack_index.h
  std::uint64_t agent_bytes = 0;
  for (const ThreadRing& ring : rings_.all()) {
    const std::uint64_t words = ring.reader.head().head.load(std::memory_order_relaxed);
    agent_bytes += std::min<std::uint64_t>(words, wire::kRingWords) * sizeof(std::uint64_t) +
                   wire::kPage + ring.stacks.count() * kMostBytesAStack;
  }
  samples_.push_back({.time_ns = since_begin(time_ns),
                      .resident = reading->resident,
                      .peak_resident = reading->peak_resident,
                      .agent_resident = Bytes{agent_bytes},
                      .break_bytes = reading->break_bytes,
                      .mapped_bytes = reading->mapped,
                      .minor_faults = reading->minor_faults,
                      .major_faults = reading->major_faults,
                      .proportional = reading->proportional});
}

void RecordedProcess::write_waiting(std::uint64_t until_ns) {
  for (; !samples_.empty() && samples_.front().time_ns <= until_ns; samples_.pop_front()) {
    recording::KernelSample& sample = samples_.front();
    write_page_faults(sample.time_ns);
    last_ns_ = sample.time_ns = std::max(last_ns_, sample.time_ns);
    writer_->add(sample);
  }
  write_page_faults(until_ns);
}

void RecordedProcess::sample_at_peak(std::uint64_t time_ns) {
  constexpr Bytes kLeastStep{256 << 10};
  const Bytes step = std::max(kLeastStep, Bytes{most_resident_.count / 256});
  if (writer_ == nullptr || gauge_.resident() < most_resident_ + step) return;
  sample(time_ns);
}

// Written at once, so that it is in the file of a recorder that is killed; how often, at the end.
void RecordedProcess::note_unrecorded_program(const std::string& path, PreloadObstacle obstacle,
                                              std::uint64_t time_ns) {
  const recording::UnrecordedProgram& program =
      unrecorded_.count(path, obstacle, since_begin(time_ns));
  if (writer_ != nullptr && program.count == 1) writer_->add(program);
}

// A copy of a process has blocks that only the original told of.
bool RecordedProcess::knows_all_blocks() const {
  return slot_.slot().is_forked == 0 && losses().dropped_events == 0;
}

// Anybody who has the channel may say that this process waits: it may be another program by now.
recording::LeakScan RecordedProcess::search(const TickClock& clock,
                                            const kernel::SharedFile& channel) {
  const pid_t memory = kernel::thread_with_memory(pid());
  if (!channel.is_mapped_by(memory)) {
    const auto maps = kernel::read_maps(memory);
    return {.is_refused = !maps && maps.error().error_number == EACCES, .lost = {}};
  }
  stopper_.stop();
  drain(wire::now_ticks_before_loads(), clock);  // what they told before they stopped
  std::vector<heaps::LiveRange> blocks;
  blocks.reserve(live_->size());
  live_->for_each([&](Address address, const LiveBlock& block) {
    blocks.push_back({.begin = address.value, .bytes = block.bytes});
  });
  std::ranges::sort(blocks, {}, &heaps::LiveRange::begin);
  recording::LeakScan scan = scan_for_leaks(memory, stopper_.threads(), blocks, knows_all_blocks());
  stopper_.release();
  scan.time_ns = last_ns_;
  return scan;
}

void RecordedProcess::look_if_it_waits(const TickClock& clock, const kernel::SharedFile& channel) {
  stopper_.release_late_ones();
  std::atomic<wire::EndState>& end = slot_.slot().end;
  const wire::EndState state = end.load(std::memory_order_acquire);
  const bool waits_for_search = state == wire::EndState::kWaitsForSearch && !is_searched_;
  if (state != wire::EndState::kWaitsForSample && !waits_for_search) return;
  sample(clock.ns(wire::now_ticks()));
  if (waits_for_search) {
    is_searched_ = true;
    if (live_ != nullptr && writer_ != nullptr) writer_->add(search(clock, channel));
  }
  end.store(waits_for_search ? wire::EndState::kSearched : wire::EndState::kRunning,
            std::memory_order_release);
  kernel::wake_waiter(reinterpret_cast<std::uint32_t*>(&end));
}

recording::Losses RecordedProcess::losses() const {
  recording::Losses losses;
  // What a silent thread does is nobody's to count: it stands for one event.
  losses.dropped_events = slot_.slot().lost_events.load(std::memory_order_relaxed) +
                          slot_.slot().silent_threads.load(std::memory_order_relaxed);
  for (const ThreadRing& ring : rings_.all()) {
    const wire::RingHead& head = ring.reader.head();
    losses.dropped_events += head.dropped_events.load(std::memory_order_relaxed);
    losses.truncated_stacks += head.truncated_stacks.load(std::memory_order_relaxed);
  }
  return losses;
}

void RecordedProcess::give_up(const Error& why) {
  live_.reset();
  writer_.reset();
  error_ = why;
}

std::optional<Error> RecordedProcess::failure() const {
  if (writer_ == nullptr || writer_->state()) return std::nullopt;
  return writer_->state().error();
}

RecordedResult RecordedProcess::finish(const recording::Ending& ending, const TickClock& clock) {
  RecordedResult result;
  result.path = identity_.recording;
  result.pid = pid();
  result.command = identity_.command;
  result.error = error_;
  if (writer_ == nullptr) return result;
  drain(wire::now_ticks(), clock);
  write_waiting(UINT64_MAX);
  code_.define_sources(*writer_);
  if (live_ != nullptr && !is_searched_) writer_->add(recording::LeakScan{.lost = {}});
  for (const recording::UnrecordedProgram& program : unrecorded_.all()) {
    if (program.count > 1) writer_->add(program);
  }
  recording::Ending whole = ending;
  whole.time_ns = std::max(last_ns_, since_begin(ending.time_ns));
  whole.losses = losses();
  if (auto finished = writer_->finish(whole); !finished) result.error = finished.error();
  result.events = writer_->event_count();
  result.bytes = writer_->written_bytes();
  result.losses = whole.losses;
  result.events_without_ring = slot_.slot().lost_events.load(std::memory_order_relaxed);
  result.silent_threads = slot_.slot().silent_threads.load(std::memory_order_relaxed);
  return result;
}

}  // namespace mini::sources
