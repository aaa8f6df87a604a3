// The page faults of other processes, as the kernel counts them (perf_event_open): which thread
// touched which address with which instruction, and when. Needs no privilege for one's own
// processes, unless the system forbids it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace mini::kernel {

/// In user mode alone: what a system call touches for a program is not told.
struct PageFault {
  std::uint64_t time_ns = 0;  // of monotonic_ns()
  pid_t pid = 0;
  pid_t tid = 0;
  Address address{};
  Address instruction{};
};

class PageFaultWatch {
 public:
  /// Of all that this thread starts from now on, from their execve on, with their children.
  static Result<std::unique_ptr<PageFaultWatch>> of_children();
  /// Of these threads, and of all that they start from now on.
  static Result<std::unique_ptr<PageFaultWatch>> of_threads(std::span<const pid_t> threads);
  ~PageFaultWatch();
  PageFaultWatch(const PageFaultWatch&) = delete;
  PageFaultWatch& operator=(const PageFaultWatch&) = delete;

  /// Those that have come since the last call, in the order of their times as far as they are
  /// known.
  std::vector<PageFault> read();
  /// For which the kernel had no room.
  std::uint64_t lost() const { return lost_; }

 private:
  class Buffer;
  PageFaultWatch();
  Result<void> open(pid_t thread, bool from_exec_on);

  std::vector<std::unique_ptr<Buffer>> buffers_;  // one for each processor
  std::vector<int> others_;                       // descriptors that share them
  std::uint64_t lost_ = 0;
};

}  // namespace mini::kernel
