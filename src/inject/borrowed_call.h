// One call of a function that a running process makes for us: waits for a moment at which one of
// its threads may be borrowed, borrows it, and watches the call come to its end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/memory_reader.h"
#include "base/result.h"
#include "inject/call_code.h"
#include "inject/loaded_modules.h"
#include "inject/process_view.h"
#include "inject/stopped_process.h"
#include "unwind/unwinder.h"

namespace mini::inject {

class BorrowedCall {
 public:
  /// Says what to call; `place` is where the code will be. On failure nothing is called.
  using FillIn =
      std::function<Result<void>(CallBlock& block, const ProcessView& view, Address place)>;

  /// `deed`: what errors say that the process did not do, "load heapspy's agent". All references
  /// must outlive it.
  BorrowedCall(pid_t pid, const LoaderList& list, const MemoryReader& memory, TraceLedger& ledger,
               std::string deed);

  /// The block as the call left it. Every wait has an end.
  Result<CallBlock> run(const FillIn& fill_in);

 private:
  struct Try {
    bool has_begun = false;
    std::string_view why_not;
  };

  Result<Try> try_once(const FillIn& fill_in, bool accept_unknown);
  const StoppedThread* choose(const StoppedProcess& process, const ProcessView& view,
                              bool accept_unknown, std::string_view* why_not);
  Result<bool> begin(const StoppedThread& thread, const ProcessView& view, const FillIn& fill_in);
  Result<void> wait_for_end();
  void put_back();
  void release_memory();
  bool has_code() const;
  CallBlock read_block() const;

  pid_t pid_;
  const LoaderList& list_;
  const MemoryReader& memory_;
  TraceLedger& ledger_;
  std::string deed_;
  std::unique_ptr<unwind::Unwinder> unwinder_;
  Address place_{};                 // of the call's memory in the process
  pid_t tid_ = 0;                   // the thread that was borrowed
  kernel::ThreadContext before_{};  // where it was
  std::uint64_t mask_before_ = 0;   // and what signals it blocked
};

}  // namespace mini::inject
