// Page faults on their way to the recordings of the processes that they are of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/page_fault_watch.h"
#include "sources/recorded_process.h"

namespace mini::sources {

/// Where nobody asks for touches, none of it does anything. Not thread-safe.
class TouchWatch {
 public:
  using FindProcess = std::function<RecordedProcess*(pid_t)>;

  /// `begin_ns`: of the recording, from which its times count.
  explicit TouchWatch(std::uint64_t begin_ns) : begin_ns_(begin_ns) {}

  /// Touches are asked for: by `watch`, or refused by its error.
  void begin(Result<std::unique_ptr<kernel::PageFaultWatch>> watch);

  /// Says in a recording that begins whether touches are in it.
  void tell_of_begin(RecordedProcess& process) const;
  /// And in one that ends how many are missing.
  void tell_of_end(RecordedProcess& process) const;

  /// Gives each process the page faults that have come of it. `find` returns null for one that is
  /// not known: those of a program that has just begun come before its agent has a slot, and are
  /// kept for the next call.
  void deal_out(const FindProcess& find);

 private:
  std::uint64_t begin_ns_;
  bool is_asked_for_ = false;
  std::unique_ptr<kernel::PageFaultWatch> watch_;  // null: not asked for, or refused
  std::string refusal_;
  std::vector<kernel::PageFault> early_;  // of processes that are not known yet
};

}  // namespace mini::sources
