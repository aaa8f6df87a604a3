// Reads a recording. It is input from an adversary: cut, with bits flipped, or made to harm.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "recording/event.h"

namespace mini::recording {

/// What a reader is told of, in the order of the file. Definitions come before the events that
/// refer to them, but for sources, which come at any time. A number that was lost with a damaged
/// block is handed on as it is: who looks it up must expect not to find it.
class Visitor {
 public:
  Visitor() = default;
  Visitor(const Visitor&) = default;
  Visitor& operator=(const Visitor&) = default;
  virtual ~Visitor() = default;
  virtual void module(ModuleNumber, const ModuleFacts&) {}
  virtual void thread(ThreadNumber, const ThreadFacts&) {}
  virtual void frame(FrameNumber, const FrameFacts&) {}
  virtual void source(FrameNumber, const std::vector<SourceFrame>&) {}
  virtual void stack(StackNumber, const StackFacts&) {}
  virtual void allocation(const Allocation&) {}
  virtual void free(const Free&) {}
  /// Some allocations and frees in a row, and the addresses of the places that come up in them. Who
  /// has none of its own gets the events one by one.
  virtual void heap_events(std::span<const HeapEvent> events, std::span<const Address> new_places);
  virtual void sample(const KernelSample&) {}
  virtual void mapping(const Mapping&) {}
  virtual void marker(const Marker&) {}
  virtual void usable_size(const UsableSize&) {}
  virtual void touch(const Touch&) {}
  virtual void touch_watch(const TouchWatch&) {}
  /// Allocations and frees since the last call, or the beginning, that have the same place have the
  /// same address, and places were counted from 1 in the order in which they came up. From here on
  /// places are others'.
  virtual void events_end() {}
  /// A part of the one search for leaks: each has the same figures, and lost blocks of its own.
  virtual void leak_scan(const LeakScan&) {}
  virtual void fork(const Fork&) {}
  virtual void unrecorded_program(const UnrecordedProgram&) {}
  /// False: blocks of events are passed over from here on.
  virtual bool wants_events() { return true; }
  /// What the recording is of: before all else, unless that part is damaged.
  virtual void process(const ProcessFacts&) {}
  /// Called now and then with how much of the file has been read; false stops the reading.
  virtual bool progress(std::uint64_t /*read_bytes*/, std::uint64_t /*file_bytes*/) { return true; }
};

/// What was wrong with the file.
struct Damage {
  std::uint64_t skipped_blocks = 0;  // whose checksum or contents were wrong
  std::uint64_t skipped_bytes = 0;   // that belong to no sound block
  // Allocations and frees, as far as later blocks tell; 0 where not all were wanted.
  std::uint64_t lost_events = 0;
  bool is_cut = false;  // no ending or footer: the recorder was killed, or the file cut
  bool any() const { return skipped_blocks != 0 || skipped_bytes != 0; }
};

struct Summary {
  ProcessFacts process;
  std::optional<Ending> ending;
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  bool is_stopped = false;  // progress() said so: nothing is known of what comes after
  Damage damage;
};

/// Reads the whole of a file, or fails where it is no recording, or of a newer major version.
/// A path may lead to a pipe. Memory: one block, whatever the length of the file.
Result<Summary> read_recording(const std::string& path, Visitor& visitor);

/// The same from memory, for tests and the fuzzer.
Result<Summary> read_recording(std::span<const std::byte> file, Visitor& visitor);

}  // namespace mini::recording
