// A process that is copied. Mostly a copy finds the agent's memory wiped, and begins anew; but
// where a signal handler makes it that came into the middle of a record, the copy comes back there,
// too. That record is let come to its end, in memory that nobody reads.
#include "agent/fork.h"

#include <cerrno>
#include <pthread.h>
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
  if (!is_inside() || log == nullptr || log->session_ == nullptr) return;
  log->session_->keep_on_fork(keep);
  vm::keep_on_fork(log, sizeof *log, keep);
  log->index_.keep_on_fork(keep);
}

// As after the longest time: there is room for all that the record has left.
void ThreadLog::leave_to_original() {
  ThreadLog* const log = t_log;
  if (!is_inside() || log == nullptr || log->session_ == nullptr) return;
  log->session_->leave_to_original();
  log->ring_.head().tail.store(log->ring_.written_words(), std::memory_order_relaxed);
}

namespace {

// The C library calls these handlers in the reverse order of their registration, so that ours, an
// early one, comes after the program's own have got what they allocate. Only what other threads do
// from here to the copy itself is on the wrong side.
void before_fork() {
  announce_child();
  ThreadLog::keep_on_fork(true);
  if (Session::if_connected() == nullptr) return;
  with_log([](ThreadLog& log) { log.add_fork(); });
}

void after_fork() {
  ThreadLog::keep_on_fork(false);
}

void begin_copy() {
  ThreadLog::leave_to_original();
  ThreadLog::keep_on_fork(false);
  Session::forget_original();
  code_table().reset_after_fork();
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
