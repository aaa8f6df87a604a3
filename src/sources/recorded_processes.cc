#include "sources/recorded_processes.h"

#include <algorithm>
#include <ranges>
#include <unistd.h>
#include <utility>

#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "sources/recording_file.h"
#include "sources/thread_rings.h"

namespace mini::sources {

RecordedProcesses::RecordedProcesses(const RecordOptions& options, wire::Channel& channel,
                                     const kernel::SharedFile& file, const TickClock& clock,
                                     RecordingBegin begin)
    : options_(options),
      file_(file),
      clock_(clock),
      begin_(begin),
      modules_(unwind::make_module_cache({.libc_source_lines = false})),
      notices_(channel.board),
      slots_(channel.claims, file),
      touches_(begin.ns) {}

std::uint64_t RecordedProcesses::since_begin() const {
  return monotonic_ns() - begin_.ns;
}

void RecordedProcesses::find_new() {
  for (NewProcess& found : slots_.find_new()) begin(std::move(found));
}

// Of a process that another one started or became: with the first that it told, which may lie
// behind us.
RecordingBegin RecordedProcesses::begin_of(const wire::SlotView& slot) const {
  std::uint64_t ns = since_begin();
  if (const auto ticks = ThreadRings::first_ticks(slot)) ns = std::min(ns, clock_.ns(*ticks));
  return {.ns = ns, .unix_ns = begin_.unix_ns + ns};
}

// Who fills in a slot may call itself by any number: by heapspy's own, or by that of a process that
// only heapspy may read. Of one that has ended nothing can be read; what came from the first may
// have no channel any more, as another program, or not be looked at.
bool RecordedProcesses::may_be_recorded(pid_t pid) const {
  if (pid <= 0 || pid == ::getpid()) return false;
  return kernel::ProcessHandle(pid).has_ended() || kernel::descends_from(pid, first_) ||
         file_.is_mapped_by(pid);
}

void RecordedProcesses::begin(NewProcess found) {
  const wire::SlotView view = found.view();
  const auto told = static_cast<pid_t>(view.slot().pid);
  const auto is_it = [this](pid_t pid) { return file_.is_mapped_by(pid); };
  const auto at = kernel::find_in_namespace(told, view.slot().pid_namespace, is_it);
  const pid_t known = at && may_be_recorded(*at) ? *at : 0;
  const pid_t pid = known != 0 ? known : told;  // by which its recording is named
  const unsigned image = ++images_[pid];
  const bool is_first = pid == first_ && image == 1;
  std::string path = is_first ? options_.output : later_recording(options_.output, pid, image);
  // A parent has its slot before it forks.
  const auto parent = identities_.find(RecordedProcess::origin(view.slot()));
  const ProcessIdentity origin = parent != identities_.end() ? parent->second : ProcessIdentity{};
  const RecordingBegin begin =
      is_first ? RecordingBegin{.ns = 0, .unix_ns = begin_.unix_ns} : begin_of(view);
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

RecordedProcess* RecordedProcesses::find(pid_t pid) const {
  if (pid == 0) return nullptr;  // is no process's number, but that of all that were gone
  // The last of them: a process that became another program is there twice for a moment.
  for (const Running& running : std::views::reverse(processes_)) {
    if (running.process->pid() == pid) return running.process.get();
  }
  return nullptr;
}

// It is said in the recordings of all that it came from: who looks into one of these asks where the
// memory of what they started went.
void RecordedProcesses::note_unrecorded(RecordedProcess* process, const std::string& path,
                                        PreloadObstacle obstacle) {
  constexpr int kMostGenerations = 64;
  const std::uint64_t now = since_begin();
  unrecorded_.count(path, obstacle, now);
  for (int i = 0; process != nullptr && i < kMostGenerations; ++i) {
    process->note_unrecorded_program(path, obstacle, now);
    process = find(process->identity().parent_pid);
  }
}

// One that may not be looked at may be in the same program still.
void RecordedProcesses::note_left(pid_t pid) {
  for (Running& running : processes_) {
    if (pid == 0 || running.process->pid() != pid) continue;
    running.has_left = running.process->has_ended() ||
                       (!file_.is_mapped_by(pid) && kernel::read_proc_link(pid, "exe"));
  }
}

void RecordedProcesses::read_notices(ProgramNotices::Moment moment) {
  for (const ProgramNotices::Found& found : notices_.read(moment)) {
    note_left(found.pid);
    RecordedProcess* process = find(found.pid);
    if (process == nullptr) process = find(found.parent_pid);
    if (process == nullptr && !processes_.empty()) process = processes_.front().process.get();
    note_unrecorded(process, found.path, found.obstacle);
  }
}

void RecordedProcesses::drain(std::uint64_t ticks) {
  deal_out_touches();
  for (const Running& running : processes_) {
    running.process->drain(ticks, clock_);
    running.process->look_if_it_waits(clock_, file_);
  }
}

void RecordedProcesses::end_reading() {
  for (const Running& running : processes_) running.process->end_reading();
}

void RecordedProcesses::sample(std::uint64_t now_ns) {
  for (const Running& running : processes_) running.process->sample(now_ns - begin_.ns);
}

void RecordedProcesses::sample_at_peaks(std::uint64_t now_ns) {
  for (const Running& running : processes_) running.process->sample_at_peak(now_ns - begin_.ns);
}

// Not when all is over: a program may run for hours. A crowd that has the same reason is told of
// then.
void RecordedProcesses::tell_of_failures() {
  if (!options_.on_failure) return;
  for (Running& running : processes_) {
    const auto why = running.is_failure_told ? std::nullopt : running.process->failure();
    if (!why || !told_failures_.insert(why->message).second) continue;
    running.is_failure_told = true;
    options_.on_failure(running.process->identity().recording, *why);
  }
}

void RecordedProcesses::give_up(const Error& why) {
  for (const Running& running : processes_) running.process->give_up(why);
}

// A process that became another program has a later slot with the same number, unless that is none
// that can be recorded.
bool RecordedProcesses::was_replaced(std::size_t index) const {
  const Running& running = processes_[index];
  const pid_t pid = running.process->pid();
  const auto is_same = [pid](const Running& later) {
    return pid != 0 && later.process->pid() == pid;
  };
  return running.has_left || std::ranges::any_of(processes_ | std::views::drop(index + 1), is_same);
}

void RecordedProcesses::finish(Running& running, const recording::Ending& ending,
                               bool was_replaced) {
  RecordedProcess& process = *running.process;
  deal_out_touches();
  touches_.tell_of_end(process);
  results_.push_back(process.finish(ending, clock_));
  results_.back().is_error_told = running.is_failure_told;
  // One that we have not found may go on.
  slots_.release(running.slot, process.pid() != 0 && (running.has_ended || was_replaced));
}

// Whether there is a later slot is looked for after the process has ended, when no more can come.
std::size_t RecordedProcesses::end(bool ends_all, const EndingOf& ending_of) {
  // Asked once of each: a system call. Those that come meanwhile are looked at the next time.
  for (Running& running : processes_) running.has_ended = running.process->has_ended();
  if (std::ranges::any_of(processes_, &Running::has_ended)) {
    find_new();
    read_notices();
  }
  const std::size_t before = results_.size();
  for (std::size_t i = 0; i < processes_.size();) {
    Running& running = processes_[i];
    const bool was_replaced = this->was_replaced(i);
    if (!was_replaced && !running.has_ended && !ends_all) {
      ++i;
      continue;
    }
    recording::Ending ending;
    if (was_replaced) {
      ending.kind = recording::Ending::Kind::kExec;
    } else {
      ending = ending_of(running.process->pid(), running.has_ended);
    }
    ending.time_ns = since_begin();
    finish(running, ending, was_replaced);
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return results_.size() - before;
}

RecordOutcome RecordedProcesses::take_outcome() {
  return {.recordings = std::move(results_),
          .unrecorded = std::move(unrecorded_),
          .unserved = slots_.unserved(),
          .roomless = slots_.roomless()};
}

}  // namespace mini::sources
