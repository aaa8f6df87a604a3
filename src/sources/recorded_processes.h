// The processes that are being recorded: how the recording of each begins and ends, and what became
// of those that have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "kernel/page_fault_watch.h"
#include "kernel/shared_file.h"
#include "sources/process_identity.h"
#include "sources/process_slots.h"
#include "sources/program_notices.h"
#include "sources/recorded_process.h"
#include "sources/recorder.h"
#include "sources/tick_clock.h"
#include "sources/touch_watch.h"
#include "unwind/module_cache.h"
#include "wire/channel.h"

namespace mini::sources {

/// Not thread-safe. Times are those of monotonic_ns(). Targets may write what they like into the
/// channel.
class RecordedProcesses {
 public:
  /// How a process ended that became no other program, or goes on where it is not to be recorded
  /// any longer. 0 is the number of one that was gone when it was begun.
  using EndingOf = std::function<recording::Ending(pid_t pid, bool has_ended)>;

  /// All of these have to live as long. `begin`: of the whole recording.
  RecordedProcesses(const RecordOptions& options, wire::Channel& channel,
                    const kernel::SharedFile& file, const TickClock& clock, RecordingBegin begin);

  /// The process that all others come from: its first program goes to options.output.
  void set_first(pid_t pid) { first_ = pid; }
  void record_touches(Result<std::unique_ptr<kernel::PageFaultWatch>> watch) {
    touches_.begin(std::move(watch));
  }

  /// Begins to record those that have told of themselves.
  void find_new();
  /// Says in the recordings which programs began that are not recorded.
  void read_notices(ProgramNotices::Moment moment = ProgramNotices::Moment::kGoesOn);
  /// Reads what was told up to a time, which was read before.
  void drain(std::uint64_t ticks);
  /// What the process tells from here on is of no recording. REQUIRES: all of its threads stand
  /// still.
  void look_last(pid_t pid) {
    if (RecordedProcess* const process = find(pid)) process->look_last();
  }
  /// The same of all, where they run: nor is what they told after the last drain().
  void end_reading();
  void sample(std::uint64_t now_ns);
  void sample_at_peaks(std::uint64_t now_ns);

  /// Tells options.on_failure which recordings can be written no further.
  void tell_of_failures();
  /// What they tell is thrown away from here on.
  void give_up(const Error& why);
  /// Completes the recordings of those that have ended or become another program, or of all; how
  /// many they were.
  std::size_t end(bool ends_all, const EndingOf& ending_of);

  bool empty() const { return processes_.empty(); }
  /// But for the exit status. To be called in the end.
  RecordOutcome take_outcome();

 private:
  struct Running {
    std::uint32_t slot = 0;
    std::unique_ptr<RecordedProcess> process;
    bool has_ended = false;  // when it was looked at last
    bool has_left = false;   // for a program that is not recorded
    bool is_failure_told = false;
  };

  void begin(NewProcess found);
  bool may_be_recorded(pid_t pid) const;
  RecordingBegin begin_of(const wire::SlotView& slot) const;
  std::uint64_t since_begin() const;
  RecordedProcess* find(pid_t pid) const;
  void deal_out_touches() {
    touches_.deal_out([this](pid_t pid) { return find(pid); });
  }
  void note_unrecorded(RecordedProcess* process, const std::string& path, PreloadObstacle obstacle);
  void note_left(pid_t pid);
  bool was_replaced(std::size_t index) const;
  void finish(Running& running, const recording::Ending& ending, bool was_replaced);

  const RecordOptions& options_;
  const kernel::SharedFile& file_;
  const TickClock& clock_;
  RecordingBegin begin_;
  pid_t first_ = 0;
  std::shared_ptr<unwind::ModuleCache> modules_;
  ProgramNotices notices_;
  ProcessSlots slots_;
  TouchWatch touches_;
  std::vector<Running> processes_;
  std::map<pid_t, unsigned> images_;                     // programs that a process has been
  std::map<std::uint32_t, ProcessIdentity> identities_;  // by the serials of their claims
  std::set<std::string> told_failures_;
  std::vector<RecordedResult> results_;
  UnrecordedPrograms unrecorded_;
};

}  // namespace mini::sources
