// One recorded process: reads its slot of the channel, writes its recording.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "kernel/memory_gauge.h"
#include "kernel/page_fault_watch.h"
#include "kernel/shared_file.h"
#include "recording/writer.h"
#include "sources/live_blocks.h"
#include "sources/process_identity.h"
#include "sources/recorded_code.h"
#include "sources/thread_rings.h"
#include "sources/thread_stopper.h"
#include "sources/tick_clock.h"
#include "sources/unrecorded_programs.h"
#include "unwind/module_cache.h"
#include "wire/channel.h"

namespace mini::sources {

/// What became of a process's recording.
struct RecordedResult {
  std::string path;  // "": there was no place for it
  pid_t pid = 0;
  std::vector<std::string> command;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  recording::Losses losses;
  // Of the dropped ones: of more threads than wire::kRings, or of those that may get no memory.
  std::uint64_t events_without_ring = 0;
  std::uint64_t silent_threads = 0;  // the same: one for each
  std::optional<Error> error;        // it could not be written, or not to its end
  bool is_error_told = false;        // to RecordOptions::on_failure
};

/// When a recording begins: its times count from then.
struct RecordingBegin {
  std::uint64_t ns = 0;  // on the clock of the recorder, by which it gives times
  std::uint64_t unix_ns = 0;
};

/// Not thread-safe. The target may write what it likes into its slot: it can spoil its own
/// recording, nothing else.
class RecordedProcess {
 public:
  /// `pid`: by which we know the process; 0: it is gone. `sample`: the mean distance of sampled
  /// bytes that its agent was told, 0 for none. `origin`: the process that this one is a copy of;
  /// nothing where there is none.
  RecordedProcess(kernel::SharedMapping slot, pid_t pid, std::string path, Bytes sample,
                  std::shared_ptr<unwind::ModuleCache> modules, bool finds_leaks,
                  const ProcessIdentity& origin, RecordingBegin begin);

  /// The claim of the process that it began as a copy of, by its serial; 0 where it is none.
  static std::uint32_t origin(const wire::Slot& slot);

  /// 0 of one that was gone when it was begun.
  pid_t pid() const { return identity_.pid; }
  const ProcessIdentity& identity() const { return identity_; }
  /// Whether it ended, or became another program, and can write no more.
  bool has_ended() const { return handle_.has_ended(); }

  /// Reads what the threads have told up to a time, in the order of times. REQUIRES: `until` was
  /// read before this call.
  void drain(std::uint64_t until, const TickClock& clock);
  /// What its threads tell from here on is not of the recording: some do so for longer than others.
  /// REQUIRES: all of them stand still.
  void look_last();
  /// The same where they run: nor is what they told after the last drain().
  void end_reading();
  /// Page faults of its threads, in the order of their times, which are as those of drain(). They
  /// are written when the events before them are.
  void add_page_faults(std::span<const kernel::PageFault> faults);
  /// Whether page faults are recorded, and how many were not told of.
  void note_touch_watch(const std::string& refusal, std::uint64_t lost);
  /// It, or a process that came from it, became or started a program that is not recorded.
  void note_unrecorded_program(const std::string& path, PreloadObstacle obstacle,
                               std::uint64_t time_ns);
  /// Measures what the kernel holds for it. That is written when the events before it are.
  void sample(std::uint64_t time_ns);
  /// The same where it is more than ever before, by what is worth it.
  void sample_at_peak(std::uint64_t time_ns);
  /// Where the process waits to end: measures its memory for the last time, searches it for leaks
  /// if that was asked for, and lets it go. `channel`: whose slot it has, so that it is in its
  /// maps.
  void look_if_it_waits(const TickClock& clock, const kernel::SharedFile& channel);
  /// From now on what it tells is thrown away: its memory is needed. The file is as after a kill.
  void give_up(const Error& why);
  /// Why its recording, which was begun, goes no further.
  std::optional<Error> failure() const;
  /// Reads the rest and completes the file.
  RecordedResult finish(const recording::Ending& ending, const TickClock& clock);

 private:
  void look();
  void read_records(ThreadRing& ring, std::uint64_t until, const TickClock& clock);
  /// As times are in the recording; 0 before it began.
  std::uint64_t since_begin(std::uint64_t ns) const { return ns - std::min(ns, begin_ns_); }
  void go_on_to(std::uint64_t time_ns);
  /// Samples and page faults, which wait until the events before them are written.
  bool have_waited(std::uint64_t until_ns) const {
    return (!samples_.empty() && samples_.front().time_ns <= until_ns) ||
           (!faults_.empty() && faults_.front().time_ns <= until_ns);
  }
  void write_waiting(std::uint64_t until_ns);
  void write_page_faults(std::uint64_t until_ns);
  recording::ThreadNumber number_of_thread(std::uint32_t tid);
  void read_heap_events(ThreadRing& ring);
  void hand_on();
  /// Of any other kind. False where no agent wrote it. REQUIRES: so many words are there.
  bool read_record(ThreadRing& ring, std::uint32_t words);
  bool read_stack(ThreadRing& ring, std::uint32_t frames);
  void read_mapping(const ThreadRing& ring);
  recording::Losses losses() const;
  recording::LeakScan search(const TickClock& clock, const kernel::SharedFile& channel);
  bool knows_all_blocks() const;

  std::uint64_t begin_ns_;
  kernel::SharedMapping mapping_;
  wire::SlotView slot_;
  ThreadRings rings_;
  ProcessIdentity identity_;
  kernel::ProcessHandle handle_;
  Bytes sample_;
  std::optional<Error> error_;
  std::unique_ptr<recording::Writer> writer_;  // null: it could not be begun
  RecordedCode code_;
  kernel::MemoryGauge gauge_;
  Bytes most_resident_;                          // of any sample
  std::deque<recording::KernelSample> samples_;  // not yet written, as the next one
  std::deque<kernel::PageFault> faults_;
  std::map<std::uint32_t, recording::ThreadNumber> thread_numbers_;  // by tid, while it runs
  std::uint64_t last_ns_ = 0;
  // Of one thread, on their way to the writer: none outside read_records().
  std::array<recording::HeapEvent, 128> batch_;
  recording::HeapEvent* batch_end_ = batch_.begin();
  std::unique_ptr<LiveBlocks> live_;  // null: nobody asked for leaks
  ThreadStopper stopper_;
  bool is_searched_ = false;
  UnrecordedPrograms unrecorded_;
};

}  // namespace mini::sources
