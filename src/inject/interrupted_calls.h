// Threads that were let go in the middle of a system call that waits.
//
// The kernel has such a thread begin its call again, and for that sets it before the instruction.
// Where it is stopped once more before it has executed that, it waits in no call: a signal that
// comes then would call its handler first, and the call would wait for the next one. To the program
// it was in the call all the time, so it is set back into it.
#pragma once

#include <map>
#include <sys/types.h>

#include "kernel/thread_context.h"

namespace mini::inject {

class InterruptedCalls {
 public:
  /// The thread is about to be let go at `context`, which undisturbed() gave.
  void let_go(pid_t tid, const kernel::ThreadContext& context);

  /// Where the thread is that has stopped at `context`, before the kernel looks at its signals;
  /// sets it back into the call that it has yet to begin again.
  kernel::ThreadContext stopped(pid_t tid, const kernel::ThreadContext& context) const;

 private:
  std::map<pid_t, kernel::ThreadContext> in_call_;  // as they were let go
};

}  // namespace mini::inject
