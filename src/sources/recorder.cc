// One thread: it reads what the agents tell, looks who has ended, and sleeps until a ring fills up
// or a few milliseconds are over.
#include "sources/recorder.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <ranges>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/page_fault_watch.h"
#include "kernel/proc_file.h"
#include "kernel/ptrace.h"
#include "sources/joined_process.h"
#include "sources/own_signals.h"
#include "sources/spawn.h"
#include "unwind/module_cache.h"
#include "wire/clock.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kLeastSleepNs = 1'000'000;
constexpr std::uint64_t kLookForPeaksNs = 2'000'000;
constexpr std::uint64_t kLookForEndsNs = 5'000'000;  // two system calls, and one for each process

/// How often a target is looked at that has nothing urgent, and how often the kernel is asked for
/// it.
struct Pace {
  std::uint64_t most_sleep_ns;
  std::uint64_t sample_ns;
};
constexpr Pace kEveryAllocation{.most_sleep_ns = 8'000'000, .sample_ns = 10'000'000};
// Little comes, and it is the price that counts.
constexpr Pace kSampling{.most_sleep_ns = 32'000'000, .sample_ns = 50'000'000};

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
  };

  void look_at_joined();
  void record_until_done();
  void find_processes();
  bool begin_process(std::uint32_t number);
  void drain();
  void sample();
  void watch_page_faults(Result<std::unique_ptr<kernel::PageFaultWatch>> watch);
  void read_page_faults();
  void wait_for_command(int flags);
  void end_processes();
  bool is_time_to_look_for_ends();
  bool is_leaving() const { return joined_ != nullptr && has_ended_; }
  bool is_done() const { return has_ended_ && processes_.empty(); }
  void sleep();

  const RecordOptions& options_;
  const Pace pace_ = options_.sample.count == 0 ? kEveryAllocation : kSampling;
  kernel::SharedFile file_;
  kernel::SharedMapping head_;
  std::uint64_t begin_ns_ = monotonic_ns();
  TickClock clock_{wire::now_ticks(), begin_ns_};
  std::shared_ptr<unwind::ModuleCache> modules_;
  std::uint32_t slots_seen_ = 0;
  std::vector<std::uint32_t> claimed_;  // slots whose agents were not ready when we looked
  std::vector<Running> processes_;
  std::map<pid_t, unsigned> images_;            // programs that a process has been
  std::map<std::uint32_t, std::string> paths_;  // of recordings, by slot
  RecordOutcome outcome_;
  pid_t command_ = 0;
  std::unique_ptr<JoinedProcess> joined_;  // null where we started the command
  bool has_ended_ = false;
  int wait_status_ = 0;
  std::unique_ptr<kernel::PageFaultWatch> touch_watch_;  // null: not asked for, or refused
  std::string touch_refusal_;
  std::vector<kernel::PageFault> early_faults_;  // of processes that are not known yet
  std::uint64_t sampled_ns_ = 0;
  std::uint64_t looked_for_peaks_ns_ = 0;
  std::uint64_t looked_for_ends_ns_ = 0;
  std::uint64_t sleep_ns_ = kLeastSleepNs;
  bool was_rung_ = false;  // by an agent, since the last sleep began
};

Recorder::Recorder(const RecordOptions& options, kernel::SharedFile file,
                   kernel::SharedMapping head)
    : options_(options), file_(std::move(file)), head_(std::move(head)) {
  modules_ = unwind::make_module_cache({.libc_source_lines = false});
  channel().settings = {.most_frames = options.most_frames,
                        .free_stacks = options.free_stacks ? 1U : 0U,
                        .overflow = options.overflow,
                        .recorder_pid = static_cast<std::uint32_t>(::getpid()),
                        .sample_bytes = options.sample.count,
                        .scan_at_end = options.finds_leaks ? 1U : 0U};
  // What a joined process starts, or becomes, is nobody's concern any more.
  const std::string_view agent = options.process == 0 ? options.agent : std::string_view();
  if (agent.size() < sizeof channel().agent_path) {
    std::ranges::copy(agent, &channel().agent_path[0]);
  }
  channel().magic = wire::kMagic;
}

Result<std::unique_ptr<Recorder>> Recorder::create(const RecordOptions& options) {
  auto file = kernel::SharedFile::create("heapspy", wire::kFileBytes);
  if (!file) return std::unexpected(file.error());
  auto head = file->map(0, wire::kChannelBytes);
  if (!head) return std::unexpected(head.error());
  return std::unique_ptr<Recorder>(new Recorder(options, std::move(*file), std::move(*head)));
}

void Recorder::find_processes() {
  const std::uint32_t taken =
      std::min(channel().slots_taken.load(std::memory_order_acquire), wire::kSlots);
  for (; slots_seen_ < taken; ++slots_seen_) claimed_.push_back(slots_seen_);
  std::erase_if(claimed_, [this](std::uint32_t slot) { return begin_process(slot); });
}

// False while it cannot be begun yet: its agent is not ready, or may never be.
bool Recorder::begin_process(std::uint32_t number) {
  auto slot = file_.map(wire::slot_offset(number), wire::kSlotBytes);
  if (!slot) return false;
  const wire::SlotView view{slot->begin()};
  if (view.slot().state.load(std::memory_order_acquire) != wire::SlotState::kReady) return false;
  const auto pid = static_cast<pid_t>(view.slot().pid);
  const unsigned image = ++images_[pid];
  std::string path =
      pid == command_ && image == 1 ? options_.output : recording_name(options_.output, pid, image);
  // A parent has its slot before it forks, and so a lower number.
  std::string origin;
  if (const std::uint32_t parent = RecordedProcess::origin_slot_plus_1(view.slot()); parent != 0) {
    if (const auto found = paths_.find(parent - 1); found != paths_.end()) origin = found->second;
  }
  paths_[number] = path;
  auto process = std::make_unique<RecordedProcess>(
      std::move(*slot), std::move(path), options_.sample, modules_, options_.finds_leaks, origin);
  if (options_.first_touch) process->note_touch_watch(touch_refusal_, 0);
  processes_.push_back({.slot = number, .process = std::move(process)});
  return true;
}

void Recorder::watch_page_faults(Result<std::unique_ptr<kernel::PageFaultWatch>> watch) {
  if (watch) {
    touch_watch_ = std::move(*watch);
  } else {
    touch_refusal_ = watch.error().message;
  }
}

// Those of a program that has just begun come before its agent has a slot.
void Recorder::read_page_faults() {
  constexpr std::size_t kMostEarly = 100'000;
  std::vector<kernel::PageFault> faults = touch_watch_->read();
  for (kernel::PageFault& fault : faults) fault.time_ns -= std::min(fault.time_ns, begin_ns_);
  faults.insert(faults.begin(), early_faults_.begin(), early_faults_.end());
  early_faults_.clear();
  for (const Running& running : std::views::reverse(processes_)) {
    const pid_t pid = running.process->pid();
    const auto others =
        std::stable_partition(faults.begin(), faults.end(),
                              [pid](const kernel::PageFault& fault) { return fault.pid == pid; });
    running.process->add_page_faults({faults.begin(), others});
    faults.erase(faults.begin(), others);
  }
  if (faults.size() <= kMostEarly) early_faults_ = std::move(faults);
}

void Recorder::drain() {
  find_processes();
  channel().beat.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t ticks = wire::now_ticks_before_loads();
  clock_.measure(ticks, monotonic_ns());
  if (touch_watch_ != nullptr) read_page_faults();
  for (const Running& running : processes_) {
    running.process->drain(ticks, clock_);
    if (options_.finds_leaks) running.process->search_if_asked(clock_);
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
  if (WIFSTOPPED(wait_status_)) {  // for the search for leaks, and too late for it
    kernel::trace_detach(command_, 0);
    return;
  }
  has_ended_ = true;
  OwnSignals::pass_to(0);
  outcome_.exit_status =
      WIFSIGNALED(wait_status_) ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
}

// A process that became another program has a later slot with the same number. Whether there is one
// is looked for after the process has ended, when no more can come.
void Recorder::end_processes() {
  const auto has_ended = [](const Running& running) { return running.process->has_ended(); };
  if (std::ranges::any_of(processes_, has_ended)) find_processes();
  for (std::size_t i = 0; i < processes_.size();) {
    RecordedProcess& process = *processes_[i].process;
    const pid_t pid = process.pid();
    const auto is_same = [pid](const Running& later) { return later.process->pid() == pid; };
    const bool was_replaced = std::any_of(processes_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                          processes_.end(), is_same);
    if (!was_replaced && !process.has_ended() && !is_leaving()) {
      ++i;
      continue;
    }
    recording::Ending ending;
    if (was_replaced) {
      ending.kind = recording::Ending::Kind::kExec;
    } else if (joined_ != nullptr) {
      ending.kind = joined_->ending_of(pid, process.has_ended());
    } else if (pid == command_) {
      wait_for_command(0);
      ending = ending_of(wait_status_);
    }
    ending.time_ns = monotonic_ns() - begin_ns_;
    if (touch_watch_ != nullptr) {
      read_page_faults();
      process.note_touch_watch("", touch_watch_->lost());
    }
    outcome_.recordings.push_back(process.finish(ending, clock_));
    file_.discard(wire::slot_offset(processes_[i].slot), wire::kSlotBytes);
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// Not each time that a ring is half full: a busy program is not at its end.
bool Recorder::is_time_to_look_for_ends() {
  const std::uint64_t now = monotonic_ns();
  if (now - looked_for_ends_ns_ < kLookForEndsNs && was_rung_) return false;
  looked_for_ends_ns_ = now;
  return true;
}

void Recorder::sleep() {
  wire::Channel& channel = this->channel();
  const std::uint32_t rung = channel.doorbell.load(std::memory_order_acquire);
  channel.is_asleep.store(1, std::memory_order_seq_cst);
  kernel::wait_for_change(reinterpret_cast<std::uint32_t*>(&channel.doorbell), rung, sleep_ns_);
  channel.is_asleep.store(0, std::memory_order_relaxed);
  was_rung_ = channel.doorbell.load(std::memory_order_relaxed) != rung;
  sleep_ns_ = was_rung_ ? kLeastSleepNs : std::min(sleep_ns_ * 2, pace_.most_sleep_ns);
}

// It goes on elsewhere: what it starts from now on is not waited for.
void Recorder::look_at_joined() {
  if (has_ended_ || !joined_->is_over(monotonic_ns(), begin_ns_)) return;
  joined_->leave();
  drain();
  has_ended_ = true;
}

Result<RecordOutcome> Recorder::run_process() {
  const OwnSignals signals(OwnSignals::Mode::kAttach);
  auto joined = JoinedProcess::join(options_, file_);
  if (!joined) return std::unexpected(joined.error());
  joined_ = std::move(*joined);
  if (options_.first_touch) {
    watch_page_faults(
        kernel::PageFaultWatch::of_threads(kernel::read_thread_ids(options_.process)));
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
  if (options_.first_touch) watch_page_faults(kernel::PageFaultWatch::of_children());
  auto child = spawn(options_.program, options_.command,
                     {{"LD_PRELOAD", preload}, {wire::kChannelVariable, file_.path()}}, signals);
  if (!child) return std::unexpected(child.error());
  command_ = *child;
  OwnSignals::pass_to(command_);
  record_until_done();
  return std::move(outcome_);
}

void Recorder::record_until_done() {
  while (true) {
    drain();
    sample();
    if (!is_time_to_look_for_ends()) {
      sleep();
      continue;
    }
    end_processes();
    if (is_done()) {
      find_processes();  // whoever came while we looked
      if (is_done()) break;
    }
    wait_for_command(WNOHANG);
    sleep();
  }
  channel().is_closed.store(1, std::memory_order_release);
}

}  // namespace

std::string recording_name(const std::string& output, pid_t pid, unsigned image) {
  constexpr std::string_view kSuffix = ".heapspy";
  const bool has_suffix = output.ends_with(kSuffix);
  const std::string stem = has_suffix ? output.substr(0, output.size() - kSuffix.size()) : output;
  const std::string number = image > 1 ? fmt::format("{}.{}", pid, image) : fmt::format("{}", pid);
  return fmt::format("{}.{}{}", stem, number, has_suffix ? kSuffix : "");
}

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
