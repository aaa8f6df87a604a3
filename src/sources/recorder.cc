// One thread: it reads what the agents tell, looks who has ended, and sleeps until a ring fills up
// or a few milliseconds are over.
#include "sources/recorder.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <new>
#include <ranges>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
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
#include "sources/process_slots.h"
#include "sources/program_notices.h"
#include "sources/recording_file.h"
#include "sources/spawn.h"
#include "sources/touch_watch.h"
#include "unwind/module_cache.h"
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
  Bytes warm_heap;
};
// The tables of one process, of what compresses, and a part of those of stacks and symbols.
constexpr Pace kEveryAllocation{
    .most_sleep_ns = 8'000'000, .sample_ns = 10'000'000, .warm_heap = Bytes{12 << 20}};
// Little comes, and it is the price that counts.
constexpr Pace kSampling{
    .most_sleep_ns = 100'000'000, .sample_ns = 100'000'000, .warm_heap = Bytes{1 << 20}};

recording::Ending ending_of(int wait_status) {
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

class Recorder {
 public:
  static Result<std::unique_ptr<Recorder>> create(const RecordOptions& options);

  Result<RecordOutcome> run_command();
  Result<RecordOutcome> run_process();

 private:
  Recorder(const RecordOptions& options, kernel::SharedFile file, kernel::SharedMapping head);

  wire::Channel& channel() const { return *reinterpret_cast<wire::Channel*>(head_.begin()); }
  struct Running {
    std::uint32_t slot = 0;
    std::unique_ptr<RecordedProcess> process;
    bool has_ended = false;  // when it was looked at last
    bool has_left = false;   // for a program that is not recorded
    bool is_failure_told = false;
  };

  void look_at_joined();
  void record_until_done();
  void record_until_over();
  void give_up();
  void find_processes();
  void begin_process(NewProcess found);
  bool may_be_recorded(pid_t pid) const;
  RecordingBegin begin_of(const wire::SlotView& slot) const;
  void drain();
  void sample();
  void deal_out_touches() {
    touches_.deal_out([this](pid_t pid) { return find_process(pid); });
  }
  void read_program_notices(ProgramNotices::Moment moment = ProgramNotices::Moment::kGoesOn);
  void note_unrecorded(RecordedProcess* process, const std::string& path, PreloadObstacle obstacle);
  void note_left(pid_t pid);
  RecordedProcess* find_process(pid_t pid) const;
  void wait_for_command(int flags);
  void stop_with_command(int signal) const;
  void leave();
  void tell_of_failures();
  void end_processes();
  bool is_time_to_look_for_ends();
  void close_channel();
  bool is_done() {
    return has_ended_ && processes_.empty() && (is_leaving_ || !children_.may_come());
  }
  void sleep();

  const RecordOptions& options_;
  const Pace pace_ = options_.sample.count == 0 ? kEveryAllocation : kSampling;
  kernel::SharedFile file_;
  kernel::SharedMapping head_;
  kernel::LifeSign life_{channel().recorder_link, channel().recorder};
  std::uint64_t begin_ns_ = monotonic_ns();
  std::uint64_t begin_unix_ns_ = unix_ns();
  TickClock clock_{wire::now_ticks(), begin_ns_};
  std::shared_ptr<unwind::ModuleCache> modules_;
  ProgramNotices notices_{channel().board};
  Doors doors_{channel(), file_};
  ProcessSlots slots_{channel().claims, file_};
  ChildSearch children_{channel(), file_};
  std::vector<Running> processes_;
  std::map<pid_t, unsigned> images_;  // programs that a process has been
  std::set<std::string> told_failures_;
  std::map<std::uint32_t, ProcessIdentity> identities_;  // by the serials of their claims
  RecordOutcome outcome_;
  pid_t command_ = 0;
  std::unique_ptr<JoinedProcess> joined_;  // null where we started the command
  bool has_ended_ = false;
  bool is_leaving_ = false;  // what goes on does so unrecorded
  int wait_status_ = 0;
  TouchWatch touches_{begin_ns_};
  std::uint64_t sampled_ns_ = 0;
  std::uint64_t looked_for_peaks_ns_ = 0;
  std::uint64_t looked_for_ends_ns_ = 0;
  std::uint64_t sleep_ns_ = kLeastSleepNs;
};

Recorder::Recorder(const RecordOptions& options, kernel::SharedFile file,
                   kernel::SharedMapping head)
    : options_(options), file_(std::move(file)), head_(std::move(head)) {
  modules_ = unwind::make_module_cache({.libc_source_lines = false});
  channel().settings = {.most_frames = options.most_frames,
                        .free_stacks = options.free_stacks ? 1U : 0U,
                        .overflow = options.overflow,
                        .scan_at_end = options.finds_leaks ? 1U : 0U,
                        .sample_bytes = options.sample.count};
  // One that LD_PRELOAD cannot name can be put into the process that is joined alone.
  const std::string& agent = options.agent;
  if (agent.size() < sizeof channel().agent_path &&
      agent.find_first_of(": ") == std::string::npos) {
    std::ranges::copy(agent, &channel().agent_path[0]);
  }
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

void Recorder::find_processes() {
  for (NewProcess& found : slots_.find_new()) begin_process(std::move(found));
}

// Of a process that another one started or became: with the first that it told, which may lie
// behind us.
RecordingBegin Recorder::begin_of(const wire::SlotView& slot) const {
  std::uint64_t ns = monotonic_ns() - begin_ns_;
  if (const auto ticks = ThreadRings::first_ticks(slot)) {
    ns = std::min(ns, clock_.ns(*ticks));
  }
  return {.ns = ns, .unix_ns = begin_unix_ns_ + ns};
}

// Who fills in a slot may call itself by any number: by heapspy's own, or by that of a process that
// only heapspy may read. Of one that has ended nothing can be read; what came from the command may
// have no channel any more, as another program, or not be looked at.
bool Recorder::may_be_recorded(pid_t pid) const {
  if (pid <= 0 || pid == ::getpid()) return false;
  return kernel::ProcessHandle(pid).has_ended() || kernel::descends_from(pid, command_) ||
         file_.is_mapped_by(pid);
}

void Recorder::begin_process(NewProcess found) {
  const wire::SlotView view = found.view();
  const auto told = static_cast<pid_t>(view.slot().pid);
  const auto is_it = [this](pid_t pid) { return file_.is_mapped_by(pid); };
  const auto at = kernel::find_in_namespace(told, view.slot().pid_namespace, is_it);
  const pid_t known = at && may_be_recorded(*at) ? *at : 0;
  const pid_t pid = known != 0 ? known : told;  // by which its recording is named
  const unsigned image = ++images_[pid];
  const bool is_first = pid == command_ && image == 1;
  std::string path = is_first ? options_.output : later_recording(options_.output, pid, image);
  // A parent has its slot before it forks.
  const auto parent = identities_.find(RecordedProcess::origin(view.slot()));
  const ProcessIdentity origin = parent != identities_.end() ? parent->second : ProcessIdentity{};
  const RecordingBegin begin =
      is_first ? RecordingBegin{.ns = 0, .unix_ns = begin_unix_ns_} : begin_of(view);
  auto process = std::make_unique<RecordedProcess>(std::move(found.mapping), known, std::move(path),
                                                   options_.sample, modules_, options_.finds_leaks,
                                                   origin, begin);
  identities_[found.serial] = process->identity();
  touches_.tell_of_begin(*process);
  processes_.push_back({.slot = found.slot, .process = std::move(process)});
  if (view.slot().has_own_malloc != 0) {
    RecordedProcess& begun = *processes_.back().process;
    note_unrecorded(&begun, begun.identity().executable, PreloadObstacle::kOwnMalloc);
  }
}

RecordedProcess* Recorder::find_process(pid_t pid) const {
  if (pid == 0) return nullptr;  // is no process's number, but that of all that were gone
  // The last of them: a process that became another program is there twice for a moment.
  for (const Running& running : std::views::reverse(processes_)) {
    if (running.process->pid() == pid) return running.process.get();
  }
  return nullptr;
}

// It is said in the recordings of all that it came from: who looks into one of these asks where the
// memory of what they started went.
void Recorder::note_unrecorded(RecordedProcess* process, const std::string& path,
                               PreloadObstacle obstacle) {
  constexpr int kMostGenerations = 64;
  const std::uint64_t now = monotonic_ns() - begin_ns_;
  outcome_.unrecorded.count(path, obstacle, now);
  for (int i = 0; process != nullptr && i < kMostGenerations; ++i) {
    process->note_unrecorded_program(path, obstacle, now);
    process = find_process(process->identity().parent_pid);
  }
}

// One that may not be looked at may be in the same program still.
void Recorder::note_left(pid_t pid) {
  for (Running& running : processes_) {
    if (pid == 0 || running.process->pid() != pid) continue;
    running.has_left = running.process->has_ended() ||
                       (!file_.is_mapped_by(pid) && kernel::read_proc_link(pid, "exe"));
  }
}

void Recorder::read_program_notices(ProgramNotices::Moment moment) {
  for (const ProgramNotices::Found& found : notices_.read(moment)) {
    note_left(found.pid);
    RecordedProcess* process = find_process(found.pid);
    if (process == nullptr) process = find_process(found.parent_pid);
    if (process == nullptr && !processes_.empty()) process = processes_.front().process.get();
    note_unrecorded(process, found.path, found.obstacle);
  }
}

void Recorder::drain() {
  find_processes();
  doors_.answer();
  read_program_notices();
  channel().beat.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t ticks = wire::now_ticks_before_loads();
  clock_.measure(ticks, monotonic_ns());
  deal_out_touches();
  for (const Running& running : processes_) {
    running.process->drain(ticks, clock_);
    running.process->look_if_it_waits(clock_, file_);
  }
}

void Recorder::sample() {
  const std::uint64_t now = monotonic_ns();
  if (now - sampled_ns_ < pace_.sample_ns) {
    if (now - looked_for_peaks_ns_ < kLookForPeaksNs) return;
    looked_for_peaks_ns_ = now;
    for (const Running& running : processes_) running.process->sample_at_peak(now - begin_ns_);
    return;
  }
  looked_for_peaks_ns_ = now;
  sampled_ns_ = now;
  for (const Running& running : processes_) running.process->sample(now - begin_ns_);
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
  outcome_.exit_status =
      WIFSIGNALED(wait_status_) ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
}

// The shell waits for heapspy, not for its child: where the terminal stops the job, heapspy stops
// too, and whoever continues the job continues both. A SIGSTOP is not the terminal's.
void Recorder::stop_with_command(int signal) const {
  if (signal != SIGSTOP && ::getpgid(command_) == ::getpgrp()) OwnSignals::stop_by(signal);
}

// Not when all is over: a program may run for hours. A crowd that has the same reason is told of
// then.
void Recorder::tell_of_failures() {
  if (!options_.on_failure) return;
  for (Running& running : processes_) {
    const auto why = running.is_failure_told ? std::nullopt : running.process->failure();
    if (!why || !told_failures_.insert(why->message).second) continue;
    running.is_failure_told = true;
    options_.on_failure(running.process->identity().recording, *why);
  }
}

// A process that became another program has a later slot with the same number, unless that is none
// that can be recorded. Whether there is one is looked for after the process has ended, when no
// more can come.
void Recorder::end_processes() {
  // Asked once of each: a system call. Those that come meanwhile are looked at the next time.
  for (Running& running : processes_) running.has_ended = running.process->has_ended();
  if (std::ranges::any_of(processes_, &Running::has_ended)) {
    find_processes();
    read_program_notices();
  }
  for (std::size_t i = 0; i < processes_.size();) {
    RecordedProcess& process = *processes_[i].process;
    const pid_t pid = process.pid();
    const auto is_same = [pid](const Running& later) {
      return pid != 0 && later.process->pid() == pid;
    };
    const bool was_replaced = processes_[i].has_left ||
                              std::any_of(processes_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                          processes_.end(), is_same);
    const bool has_ended = processes_[i].has_ended;
    if (!was_replaced && !has_ended && !is_leaving_) {
      ++i;
      continue;
    }
    recording::Ending ending;
    if (was_replaced) {
      ending.kind = recording::Ending::Kind::kExec;
    } else if (joined_ != nullptr) {
      ending.kind = joined_->ending_of(pid, has_ended);
    } else if (pid == command_) {
      wait_for_command(0);
      ending = ending_of(wait_status_);
    } else if (!has_ended) {
      ending.kind = recording::Ending::Kind::kDetached;
    }
    ending.time_ns = monotonic_ns() - begin_ns_;
    deal_out_touches();
    touches_.tell_of_end(process);
    outcome_.recordings.push_back(process.finish(ending, clock_));
    outcome_.recordings.back().is_error_told = processes_[i].is_failure_told;
    children_.process_ended();
    // One that we have not found may go on.
    slots_.release(processes_[i].slot, pid != 0 && (has_ended || was_replaced));
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(i));
  }
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
  read_program_notices(ProgramNotices::Moment::kEnd);
  channel().is_closed.store(1, std::memory_order_release);
}

// It goes on elsewhere: what it started, or starts from now on, is not waited for.
void Recorder::look_at_joined() {
  if (has_ended_ || !joined_->is_over(monotonic_ns(), begin_ns_)) return;
  drain();
  joined_->leave([this] {
    if (RecordedProcess* const process = find_process(options_.process)) process->look_last();
  });
  leave();
  has_ended_ = true;
}

void Recorder::leave() {
  drain();
  for (const Running& running : processes_) running.process->end_reading();
  close_channel();
  is_leaving_ = true;
}

Result<RecordOutcome> Recorder::run_process() {
  const OwnSignals signals(OwnSignals::Mode::kAttach);
  auto joined = JoinedProcess::join(options_, file_);
  if (!joined) return std::unexpected(joined.error());
  joined_ = std::move(*joined);
  if (options_.first_touch) {
    touches_.begin(kernel::PageFaultWatch::of_threads(kernel::read_thread_ids(options_.process)));
  }
  command_ = options_.process;
  if (options_.on_joined) options_.on_joined();
  record_until_done();
  return std::move(outcome_);
}

Result<RecordOutcome> Recorder::run_command() {
  const OwnSignals signals(OwnSignals::Mode::kLaunch);
  const char* const before = std::getenv("LD_PRELOAD");
  const std::string preload = before == nullptr || *before == '\0'
                                  ? options_.agent
                                  : fmt::format("{}:{}", options_.agent, before);
  if (options_.first_touch) touches_.begin(kernel::PageFaultWatch::of_children());
  auto child = spawn(options_.program, options_.command,
                     {{"LD_PRELOAD", preload}, {wire::kChannelVariable, file_.path()}}, signals);
  if (!child) return std::unexpected(child.error());
  command_ = *child;
  OwnSignals::pass_to(command_);
  OwnSignals::wake_at_end_of_child();
  record_until_done();
  return std::move(outcome_);
}

void Recorder::record_until_done() {
  // Not before the command was started: a fork copies what there is, and it has its own limits.
  kernel::warm_heap(pace_.warm_heap);
  kernel::raise_limits();
  try {
    record_until_over();
  } catch (const std::bad_alloc&) {
    give_up();
    record_until_over();
  }
  close_channel();
  outcome_.unserved = slots_.unserved();
  outcome_.roomless = slots_.roomless();
}

// The command is not to suffer from it: it goes on unrecorded, and we wait for it.
void Recorder::give_up() {
  for (const Running& running : processes_) {
    running.process->give_up(
        {"heapspy's memory is exhausted: what it has so far can be reported; "
         "--sample 512K takes less",
         ENOMEM});
  }
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
    tell_of_failures();
    end_processes();
    if (is_done()) {
      find_processes();  // whoever came while we looked
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
