// A process that is copied. Mostly a copy finds the agent's memory wiped, and begins anew; but
// where a signal handler makes it that came into the middle of a record, the copy comes back there,
// too. That record is let come to its end, in memory that nobody reads.
#include "agent/fork.h"

#include <array>
#include <cerrno>
#include <cstdarg>
#include <linux/sched.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/code.h"
#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"

namespace mini::agent {

namespace vm = kernel::vm;

void Session::keep_on_fork(bool keep) {
  vm::keep_on_fork(this, sizeof *this, keep);
  vm::share_on_fork(slot_.begin, wire::kSlotBytes, keep);
}

void Session::leave_to_original() {
  vm::map_over(slot_.begin, wire::kSlotBytes);
  state_.store(State::kClosed, std::memory_order_release);
}

void ThreadLog::keep_on_fork(bool keep) {
  ThreadLog* const log = t_log;
  // Without a session it is as a copy may find it.
  if (!is_inside() || log == nullptr || !log->ring_.is_open()) return;
  log->ring_.session()->keep_on_fork(keep);
  vm::keep_on_fork(log, sizeof *log, keep);
  log->stacks_.keep_on_fork(keep);
}

// As after the longest time: there is room for all that the record has left.
void ThreadLog::leave_to_original() {
  ThreadLog* const log = t_log;
  if (!is_inside() || log == nullptr || !log->ring_.is_open()) return;
  log->ring_.session()->leave_to_original();
  log->ring_.make_endless_room();
}

namespace {

// The C library calls these handlers in the reverse order of their registration, so that ours, an
// early one, comes after the program's own have got what they allocate. Only what other threads do
// from here to the copy itself is on the wrong side.
void before_fork() {
  const OutsideAllocator outside;
  announce_child();
  ThreadLog::keep_on_fork(true);
  if (Session::if_connected() == nullptr) return;
  with_log([](ThreadLog& log) { log.add_fork(); });
}

void after_fork() {
  const OutsideAllocator outside;
  ThreadLog::keep_on_fork(false);
}

void begin_copy() {
  const OutsideAllocator outside;
  ThreadLog::leave_to_original();
  ThreadLog::keep_on_fork(false);
  Session::forget_original();
  code_table().reset_after_fork();
}

/// Whether it is a process with memory of its own that comes back where this one does.
bool makes_copy(long number, const std::array<long, 6>& words) {
  if (number == SYS_clone3) {
    const auto* const asked = reinterpret_cast<const clone_args*>(words[0]);
    return asked != nullptr && (asked->flags & CLONE_VM) == 0 && asked->stack == 0;
  }
#if defined(SYS_fork)
  if (number == SYS_fork) return true;
#endif
  return number == SYS_clone && (words[0] & CLONE_VM) == 0 && words[1] == 0;
}

}  // namespace

void watch_forks() {
  pthread_atfork(before_fork, after_fork, begin_copy);
}

}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

// The one for signal handlers, which calls none of the above.
MINI_EXPORT pid_t _Fork() {
  const RealFunctions& real = real_functions();
  if (real.fork_alone == nullptr) return errno = ENOSYS, -1;
  before_fork();
  const pid_t child = real.fork_alone();
  child == 0 ? begin_copy() : after_fork();
  return child;
}

// Nor does this. Of words that the call does not take whatever is there is passed on.
MINI_EXPORT long syscall(long number, ...) {  // NOLINT: glibc names it __sysno
  std::array<long, 6> words;
  std::va_list rest;
  va_start(rest, number);
  for (long& word : words) word = va_arg(rest, long);
  va_end(rest);
  const RealFunctions& real = real_functions();
  const bool is_copied = makes_copy(number, words);
  if (is_copied) before_fork();
  const long result =
      real.syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  if (is_copied) result == 0 ? begin_copy() : after_fork();
  return result;
}
