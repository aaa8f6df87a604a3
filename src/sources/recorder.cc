// One thread: it reads what the agents tell, looks who has ended, and sleeps until a ring fills up
// or a few milliseconds are over.
#include "sources/recorder.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/preload_obstacle.h"
#include "kernel/life_sign.h"
#include "kernel/own_heap.h"
#include "kernel/own_limits.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"
#include "sources/child_search.h"
#include "sources/doors.h"
#include "sources/joined_process.h"
#include "sources/own_signals.h"
#include "sources/recorded_processes.h"
#include "sources/spawn.h"
#include "wire/clock.h"

namespace mini::sources {
namespace {

static_assert(FUTEX_OWNER_DIED == wire::kDied);

constexpr std::uint64_t kLeastSleepNs = 1'000'000;
constexpr std::uint64_t kLookForPeaksNs = 2'000'000;
constexpr std::uint64_t kLookForEndsNs = 5'000'000;  // two system calls, and one for each process

/// How often a target is looked at that has nothing urgent, and how often the kernel is asked for
/// it; and how much is going to be kept of it.
struct Pace {
  std::uint64_t most_sleep_ns;
  std::uint64_t sample_ns;
  Bytes resident_heap;
};
// The tables of one process, of what compresses, and a part of those of stacks and symbols.
constexpr Pace kEveryAllocation{
    .most_sleep_ns = 8'000'000, .sample_ns = 10'000'000, .resident_heap = Bytes{12 << 20}};
// Little comes, and it is the price that counts.
constexpr Pace kSampling{
    .most_sleep_ns = 100'000'000, .sample_ns = 100'000'000, .resident_heap = Bytes{1 << 20}};
// Beyond, with many processes, it is columns of events that take the most, of which large parts are
// never written.
constexpr Bytes kHugePagesEnd{16 << 20};

recording::Ending ending_by(int wait_status) {
  recording::Ending ending;
  if (WIFSIGNALED(wait_status)) {
    ending.kind = recording::Ending::Kind::kKilled;
    ending.status = static_cast<std::uint32_t>(WTERMSIG(wait_status));
  } else if (WIFEXITED(wait_status)) {
    ending.kind = recording::Ending::Kind::kExited;
    ending.status = static_cast<std::uint32_t>(WEXITSTATUS(wait_status));
  }
  return ending;
}

/// As a shell has it.
int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

class Recorder {
 public:
  static Result<std::unique_ptr<Recorder>> create(const RecordOptions& options);

  Result<RecordOutcome> run_command();
  Result<RecordOutcome> run_process();

 private:
  Recorder(const RecordOptions& options, kernel::SharedFile file, kernel::SharedMapping head);

  wire::Channel& channel() const { return *reinterpret_cast<wire::Channel*>(head_.begin()); }

  void look_at_joined();
  void record_until_done();
  void record_until_over();
  void give_up();
  void drain();
  void sample();
  void wait_for_command(int flags);
  void stop_with_command(int signal) const;
  void leave();
  void end_processes();
  recording::Ending ending_of(pid_t pid, bool has_ended);
  bool is_time_to_look_for_ends();
  void close_channel();
  bool is_done() {
    return has_ended_ && processes_.empty() && (is_leaving_ || !children_.may_come());
  }
  void sleep();
  RecordOutcome take_outcome();

  const RecordOptions& options_;
  const Pace pace_ = options_.sample.count == 0 ? kEveryAllocation : kSampling;
  kernel::SharedFile file_;
  kernel::SharedMapping head_;
  kernel::LifeSign life_{channel().recorder_link, channel().recorder};
  RecordingBegin begin_{.ns = monotonic_ns(), .unix_ns = unix_ns()};
  TickClock clock_{wire::now_ticks(), begin_.ns};
  Doors doors_{channel(), file_};
  RecordedProcesses processes_{options_, channel(), file_, clock_, begin_};
  ChildSearch children_{channel(), file_};
  pid_t command_ = 0;
  std::unique_ptr<JoinedProcess> joined_;  // null where we started the command
  bool has_ended_ = false;
  bool is_leaving_ = false;  // what goes on does so unrecorded
  int wait_status_ = 0;
  std::uint64_t sampled_ns_ = 0;
  std::uint64_t looked_for_peaks_ns_ = 0;
  std::uint64_t looked_for_ends_ns_ = 0;
  std::uint64_t sleep_ns_ = kLeastSleepNs;
};

Recorder::Recorder(const RecordOptions& options, kernel::SharedFile file,
                   kernel::SharedMapping head)
    : options_(options), file_(std::move(file)), head_(std::move(head)) {
  channel().settings = {.most_frames = options.most_frames,
                        .free_stacks = options.free_stacks ? 1U : 0U,
                        .overflow = options.overflow,
                        .scan_at_end = options.finds_leaks ? 1U : 0U,
                        .sample_bytes = options.sample.count,
                        // One that LD_PRELOAD cannot name is in the process that is joined alone.
                        .leads_programs = is_preloadable(options.agent) ? 1U : 0U};
  channel().magic = wire::kMagic;
}

Result<std::unique_ptr<Recorder>> Recorder::create(const RecordOptions& options) {
  auto file = kernel::SharedFile::create("heapspy", wire::kFileBytes);
  if (!file) return std::unexpected(file.error());
  auto head = file->map(0, wire::kChannelBytes);
  if (!head) return std::unexpected(head.error());
  head->hide_from_children();
  return std::unique_ptr<Recorder>(new Recorder(options, std::move(*file), std::move(*head)));
}

void Recorder::drain() {
  processes_.find_new();
  doors_.answer();
  processes_.read_notices();
  channel().beat.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t ticks = wire::now_ticks_before_loads();
  clock_.measure(ticks, monotonic_ns());
  processes_.drain(ticks);
}

void Recorder::sample() {
  const std::uint64_t now = monotonic_ns();
  if (now - sampled_ns_ < pace_.sample_ns) {
    if (now - looked_for_peaks_ns_ < kLookForPeaksNs) return;
    looked_for_peaks_ns_ = now;
    return processes_.sample_at_peaks(now);
  }
  looked_for_peaks_ns_ = now;
  sampled_ns_ = now;
  processes_.sample(now);
}

void Recorder::wait_for_command(int flags) {
  if (joined_ != nullptr) return look_at_joined();
  if (has_ended_ || ::waitpid(command_, &wait_status_, flags) != command_) return;
  if (WIFSTOPPED(wait_status_)) {
    // Under trace: for the search for leaks, and too late for it.
    if (kernel::trace_detach(command_, 0) != 0) stop_with_command(WSTOPSIG(wait_status_));
    return;
  }
  has_ended_ = true;
  OwnSignals::end_on_request();
}

// The shell waits for heapspy, not for its child: where the terminal stops the job, heapspy stops
// too, and whoever continues the job continues both. A SIGSTOP is not the terminal's.
void Recorder::stop_with_command(int signal) const {
  if (signal != SIGSTOP && ::getpgid(command_) == ::getpgrp()) OwnSignals::stop_by(signal);
}

recording::Ending Recorder::ending_of(pid_t pid, bool has_ended) {
  recording::Ending ending;
  if (joined_ != nullptr) {
    ending.kind = joined_->ending_of(pid, has_ended);
  } else if (pid == command_) {
    wait_for_command(0);
    ending = ending_by(wait_status_);
  } else if (!has_ended) {
    ending.kind = recording::Ending::Kind::kDetached;
  }
  return ending;
}

void Recorder::end_processes() {
  const std::size_t ended = processes_.end(
      is_leaving_, [this](pid_t pid, bool has_ended) { return ending_of(pid, has_ended); });
  if (ended != 0) children_.process_ended();
}

// Not at each look at the rings: a program is hardly ever at its end.
bool Recorder::is_time_to_look_for_ends() {
  const std::uint64_t now = monotonic_ns();
  if (!OwnSignals::take_end_of_child() && now - looked_for_ends_ns_ < kLookForEndsNs) return false;
  looked_for_ends_ns_ = now;
  return true;
}

void Recorder::sleep() {
  wire::Channel& channel = this->channel();
  const std::uint32_t rung = channel.doorbell.load(std::memory_order_acquire);
  channel.is_asleep.store(1, std::memory_order_seq_cst);
  kernel::wait_for_change(reinterpret_cast<std::uint32_t*>(&channel.doorbell), rung, sleep_ns_);
  channel.is_asleep.store(0, std::memory_order_relaxed);
  const bool was_rung = channel.doorbell.load(std::memory_order_relaxed) != rung;
  sleep_ns_ = was_rung ? kLeastSleepNs : std::min(sleep_ns_ * 2, pace_.most_sleep_ns);
}

void Recorder::close_channel() {
  processes_.read_notices(ProgramNotices::Moment::kEnd);
  channel().is_closed.store(1, std::memory_order_release);
}

// It goes on elsewhere: what it started, or starts from now on, is not waited for.
void Recorder::look_at_joined() {
  if (has_ended_ || !joined_->is_over(monotonic_ns(), begin_.ns)) return;
  joined_->leave([this] { processes_.look_last(options_.process); });
  leave();
  has_ended_ = true;
}

void Recorder::leave() {
  drain();
  processes_.end_reading();
  close_channel();
  is_leaving_ = true;
}

Result<RecordOutcome> Recorder::run_process() {
  const OwnSignals signals(OwnSignals::Mode::kAttach);
  auto joined = JoinedProcess::join(options_, file_);
  if (!joined) return std::unexpected(joined.error());
  joined_ = std::move(*joined);
  if (options_.first_touch) {
    processes_.record_touches(
        kernel::PageFaultWatch::of_threads(kernel::read_thread_ids(options_.process)));
  }
  command_ = options_.process;
  processes_.set_first(command_);
  if (options_.on_joined) options_.on_joined();
  record_until_done();
  return take_outcome();
}

Result<RecordOutcome> Recorder::run_command() {
  const OwnSignals signals(OwnSignals::Mode::kLaunch);
  const char* const before = std::getenv("LD_PRELOAD");
  const std::string preload = before == nullptr || *before == '\0'
                                  ? options_.agent
                                  : fmt::format("{}:{}", options_.agent, before);
  if (options_.first_touch) processes_.record_touches(kernel::PageFaultWatch::of_children());
  auto child = spawn(options_.program, options_.command,
                     {{"LD_PRELOAD", preload}, {wire::kChannelVariable, file_.path()}}, signals);
  if (!child) return std::unexpected(child.error());
  command_ = *child;
  processes_.set_first(command_);
  OwnSignals::pass_to(command_);
  OwnSignals::wake_at_end_of_child();
  record_until_done();
  return take_outcome();
}

void Recorder::record_until_done() {
  // Not before the command was started: a fork copies what there is, and it has its own limits.
  kernel::prepare_heap({.resident = pace_.resident_heap, .huge_end = kHugePagesEnd});
  kernel::raise_limits();
  try {
    record_until_over();
  } catch (const std::bad_alloc&) {
    give_up();
    record_until_over();
  }
  close_channel();
}

RecordOutcome Recorder::take_outcome() {
  RecordOutcome outcome = processes_.take_outcome();
  if (joined_ == nullptr) outcome.exit_status = exit_status_of(wait_status_);
  return outcome;
}

// The command is not to suffer from it: it goes on unrecorded, and we wait for it.
void Recorder::give_up() {
  processes_.give_up(
      {"heapspy's memory is exhausted: what it has so far can be reported; "
       "--sample 512K takes less",
       ENOMEM});
  channel().is_closed.store(1, std::memory_order_release);
  is_leaving_ = true;
  if (joined_ == nullptr || has_ended_) return;
  joined_->leave({});
  has_ended_ = true;
}

void Recorder::record_until_over() {
  while (true) {
    drain();
    sample();
    if (!is_time_to_look_for_ends()) {
      sleep();
      continue;
    }
    processes_.tell_of_failures();
    end_processes();
    if (is_done()) {
      processes_.find_new();  // whoever came while we looked
      if (is_done()) break;
    }
    wait_for_command(WNOHANG | WUNTRACED);
    if (has_ended_ && !is_leaving_ && OwnSignals::end_requested()) leave();
    sleep();
  }
}

}  // namespace

Result<RecordOutcome> record_command(const RecordOptions& options) {
  auto recorder = Recorder::create(options);
  if (!recorder) return std::unexpected(recorder.error());
  return (*recorder)->run_command();
}

Result<RecordOutcome> record_process(const RecordOptions& options) {
  auto recorder = Recorder::create(options);
  if (!recorder) return std::unexpected(recorder.error());
  return (*recorder)->run_process();
}

}  // namespace mini::sources
