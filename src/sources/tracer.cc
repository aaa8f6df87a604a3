// The loop: wait for any thread's next stop, see what it is, act, let it run on.
//
// A status is a ptrace stop by its upper 16 bits (an event) or by bit 7 of the signal (a system
// call, PTRACE_O_TRACESYSGOOD); all else is a signal on its way to the target, SIGTRAP included.
#include "sources/tracer.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/ptrace.h"
#include "sources/own_signals.h"

namespace mini::sources {
namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;

// A thread that waits for its vfork child, or for a disk, stops when that is over: half a second is
// given to it, then the trace begins without it.
constexpr int kMostAttachTicks = 25;
// So long one that does not come is waited for to be let go; the kernel does it when we end.
constexpr int kMostDetachTicks = 100;

int event_of(int status) {
  return status >> 16;
}

bool is_stop_signal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

}  // namespace

Tracer::Tracer(const TraceOptions& options, TraceSink& sink, bool filtered)
    : options_(options), sink_(sink), filtered_(filtered) {
  if (options.stacks) modules_ = unwind::make_module_cache(options.unwinder);
}

unsigned Tracer::ptrace_options(bool launched, bool filtered) {
  unsigned options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                     PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  if (filtered) options |= PTRACE_O_TRACESECCOMP;
  if (launched) options |= PTRACE_O_EXITKILL;
  return options;
}

void Tracer::run() {
  while (!threads_.empty()) {
    if (!wait_once()) return;
    if (OwnSignals::take_end_request()) on_end_request();
    if (OwnSignals::take_tick()) on_tick();
  }
}

// False when there is nothing left to wait for.
bool Tracer::wait_once() {
  int status = 0;
  const pid_t tid = ::waitpid(-1, &status, __WALL);
  if (tid < 0) return errno == EINTR;
  if (!WIFSTOPPED(status)) {
    on_gone(tid, status);
    if (attaching_) finish_attach_if_all_held(false);
    return true;
  }
  Thread* thread = find_thread(tid);
  if (thread == nullptr) {
    early_stops_.emplace(tid, 0);
    start_ticking();
    return true;
  }
  thread->stopped = true;
  if (attaching_) {
    hold(*thread, status);
  } else {
    on_stop(*thread, status);
  }
  return true;
}

void Tracer::on_stop(Thread& thread, int status) {
  const int signal = WSTOPSIG(status);
  switch (event_of(status)) {
    case 0:
      return signal == kSyscallStop ? on_syscall_stop(thread) : on_signal(thread, signal);
    case PTRACE_EVENT_SECCOMP:
      return on_seccomp_stop(thread);
    case PTRACE_EVENT_STOP:
      return is_stop_signal(signal) ? on_group_stop(thread, signal) : resume(thread);
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      return on_birth(thread, event_of(status));
    case PTRACE_EVENT_EXEC:
      return on_exec(thread);
    case PTRACE_EVENT_EXIT:
      return on_exit_stop(thread);
    default:
      return resume(thread);
  }
}

// Delivered unchanged: the kernel keeps its siginfo as long as the number stays the same.
void Tracer::on_signal(Thread& thread, int signal) {
  if (is_stop_signal(signal) && thread.process->model.pid == first_pid_) {
    const auto origin = kernel::trace_signal_origin(thread.tid);
    stop_is_the_terminals_ =
        signal != SIGSTOP ||
        (origin && (origin->code == SI_KERNEL || origin->sender == first_pid_));
  }
  resume(thread, signal);
}

// The job stops as it would without us. The shell waits for heapspy, not for its child: so where
// the terminal (or the program itself) asked for the stop, heapspy stops too, and whoever
// continues the job continues both. A stop by `kill -STOP` from elsewhere is ended from elsewhere.
void Tracer::on_group_stop(Thread& thread, int signal) {
  if (detaching_) return detach(thread, 0);
  thread.stopped = false;
  kernel::trace_listen(thread.tid);
  const bool ours = options_.attach_pid == 0 && thread.tid == first_pid_ && stop_is_the_terminals_;
  if (ours && ::getpgid(first_pid_) == ::getpgrp()) {
    stop_is_the_terminals_ = false;
    OwnSignals::stop_by(signal);
  }
}

void Tracer::resume(Thread& thread, int signal) {
  if (detaching_) return detach(thread, signal);
  thread.stopped = false;
  const bool all_calls = !filtered_ && !thread.process->ignored();
  if (thread.call || all_calls) {
    kernel::trace_to_syscall(thread.tid, signal);
  } else {
    kernel::trace_continue(thread.tid, signal);
  }
}

// The model is read at a moment when no thread of the process runs.
void Tracer::hold(Thread& thread, int status) {
  thread.held_stop = status;
  finish_attach_if_all_held(false);
}

void Tracer::finish_attach_if_all_held(bool wait_no_longer) {
  std::vector<pid_t> held;
  for (const auto& [tid, thread] : threads_) {
    if (thread->held_stop) {
      held.push_back(tid);
    } else if (!wait_no_longer) {
      return;
    }
  }
  attaching_ = false;
  started_ = true;
  if (const auto it = processes_.find(first_pid_); it != processes_.end())
    start_attached(*it->second);
  for (const pid_t tid : held) {
    Thread* thread = find_thread(tid);
    if (thread == nullptr) continue;
    const std::optional<int> status = std::exchange(thread->held_stop, std::nullopt);
    if (status) on_stop(*thread, *status);
  }
}

void Tracer::start_ticking() {
  if (ticking_) return;
  ticking_ = true;
  OwnSignals::start_ticking();
}

// What waits behind a call that has been in flight since the last tick is let go.
void Tracer::on_tick() {
  if (attaching_ && ++attach_ticks_ > kMostAttachTicks) finish_attach_if_all_held(true);
  const bool has_joined = options_.attach_pid != 0;
  if (detaching_ && has_joined && ++detach_ticks_ > kMostDetachTicks) {
    while (!threads_.empty()) detach(*threads_.begin()->second, 0);
    return;
  }
  bool anything_waits = false;
  for (const auto& [pid, process] : processes_) {
    TracedSpace& space = *process->space;
    if (space.waiting.empty()) continue;
    anything_waits = true;
    if (space.held_up) {
      space.order_lost = true;
      release_waiting(space);
    } else {
      space.held_up = true;
    }
  }
  for (auto& [tid, ticks] : early_stops_) ++ticks;
  adopt_orphans();
  if (has_joined) sink_.on_tick();
  ticking_ = has_joined || anything_waits || !early_stops_.empty();
  if (!ticking_ && !detaching_) OwnSignals::stop_ticking();
}

// Under a filter that nobody follows any more every memory call fails, so those that we started
// cannot be let go.
void Tracer::on_end_request() {
  if (detaching_) return;
  if (!filtered_) return begin_detach();
  if (!std::exchange(end_was_requested_, true)) {
    sink_.on_notice(
        "what the command has started goes on and cannot do so without heapspy, which filters its "
        "system calls: ask for the end once more to kill it");
    return;
  }
  for (const auto& [pid, process] : processes_) ::kill(pid, SIGKILL);
}

void Tracer::begin_detach() {
  detaching_ = true;
  outcome_.detached = true;
  ticking_ = true;
  OwnSignals::start_ticking();
  std::vector<Thread*> threads;
  for (const auto& [tid, thread] : threads_) threads.push_back(thread.get());
  for (Thread* thread : threads) {
    if (thread->stopped || thread->was_let_go()) {
      detach(*thread, 0);
    } else {
      kernel::trace_interrupt(thread->tid);
    }
  }
}

// A thread that was stopped as a part of its process stays so: the kernel sees to it.
void Tracer::detach(Thread& thread, int signal) {
  const std::shared_ptr<TracedProcess> process = thread.process;
  call_ended(thread);
  if (!process->silent && started_) measure(*process);
  kernel::trace_detach(thread.tid, signal);
  if (!thread.exiting) {
    --process->live_threads;
    --process->space->live_threads;
  }
  threads_.erase(thread.tid);
  const bool last = std::ranges::none_of(
      threads_, [&](const auto& entry) { return entry.second->process == process; });
  if (!last) return;
  if (!process->silent) sink_.on_detach(process->model);
  end_process(process);
}

Thread* Tracer::find_thread(pid_t tid) {
  const auto it = threads_.find(tid);
  return it != threads_.end() ? it->second.get() : nullptr;
}

TraceOutcome Tracer::outcome() {
  outcome_.events_count = sequence_;
  outcome_.unwinder = unwinder_statistics_;
  return outcome_;
}

}  // namespace mini::sources
