// One stopped thread that does something for us, and then goes on as if nothing had been.
//
// It is never in a state that it would not leave by itself: whatever it executes for us ends with
// the way back. So heapspy may be killed between any two steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "base/units.h"
#include "inject/stopped_process.h"
#include "kernel/memory_writer.h"

namespace mini::inject {

class BorrowedThread {
 public:
  /// nullopt where no code page has room for the system call, or nothing may be written. `ledger`
  /// must outlive it.
  static std::optional<BorrowedThread> borrow(pid_t pid, const StoppedThread& thread,
                                              const MemoryReader& memory, TraceLedger& ledger);

  BorrowedThread(BorrowedThread&& other) noexcept;
  /// Lets it go on, if it was not let go yet.
  ~BorrowedThread();

  pid_t tid() const { return thread_.tid; }

  /// Makes it do one system call. Its result; nullopt where it did not come to it: a signal came
  /// first, and it was let go to its handler, or it is gone. Else it stays stopped.
  std::optional<std::int64_t> system_call(std::uint64_t number,
                                          const std::array<std::uint64_t, 6>& arguments);

  bool write(Address to, std::span<const std::byte> bytes) const {
    return writer_.write(to, bytes, thread_.tid);
  }
  /// Where it would go on, and with what.
  const kernel::ThreadContext& way_back() const { return way_back_; }
  std::vector<std::byte> extended_state() const { return kernel::read_extended_state(tid()); }

  /// Lets it go on at `code`, on another stack, with all signals blocked. REQUIRES: the code there
  /// has the way back.
  bool go_to(Address code, Address stack);
  /// Lets it go on from where it was.
  void go_back();

 private:
  BorrowedThread(pid_t pid, const StoppedThread& thread, TraceLedger& ledger);
  bool run_to_call(bool to_exit);
  void stop_before_signals();
  void put_slack_back();
  void release();

  StoppedThread thread_;
  TraceLedger& ledger_;
  kernel::ThreadContext way_back_;
  kernel::MemoryWriter writer_;
  Address slack_{};
  std::vector<std::byte> slack_bytes_;  // what was there
  bool is_stopped_ = true;
  bool is_behind_call_ = false;  // stopped there, where the kernel has looked at signals already
};

}  // namespace mini::inject
