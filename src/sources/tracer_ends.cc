// Ends of threads and processes that are followed.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>

#include "kernel/proc_smaps.h"
#include "kernel/ptrace.h"
#include "sources/own_signals.h"
#include "sources/tracer.h"

namespace mini::sources {
namespace {

void add_statistics(unwind::UnwinderStatistics& sum, const unwind::UnwinderStatistics& more) {
  sum.stacks_count += more.stacks_count;
  sum.truncated_count += more.truncated_count;
  // These two are of the modules all unwinders share.
  sum.modules_count = std::max(sum.modules_count, more.modules_count);
  sum.rejected_modules_count = std::max(sum.rejected_modules_count, more.rejected_modules_count);
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

void Tracer::look_by_a_living_thread(TracedProcess& process) {
  const Thread* const reader = find_thread(process.reader);
  if (reader != nullptr && !reader->exiting) return;
  for (const auto& [tid, thread] : threads_) {
    if (thread->process.get() == &process && !thread->exiting) return process.look_by(tid);
  }
}

// An execve that fails late has ended all other threads: the one that called it, which it kills,
// has the main thread's number then, and nothing ever comes by its own.
Thread& Tracer::who_ends(Thread& thread) {
  const std::shared_ptr<TracedProcess> process = thread.process;
  const pid_t pid = process->model.pid;
  if (thread.tid != pid) return thread;
  const auto caller = std::ranges::find_if(threads_, [&](const auto& entry) {
    return entry.second->process == process && entry.first != pid &&
           ::tgkill(pid, entry.first, 0) != 0 && errno == ESRCH;
  });
  if (caller == threads_.end()) return thread;
  Thread& survivor = *caller->second;
  leave_one_thread(survivor);
  survivor.stopped = true;
  process->main_let_go = false;
  process->look_by(pid);
  release_waiting(*begin_space(*process));
  process->space->order_lost = true;  // what it has of the new program is to be read
  return survivor;
}

// The last moment at which the thread's address space can be looked at.
void Tracer::on_exit_stop(Thread& stopped) {
  Thread& thread = who_ends(stopped);
  const std::shared_ptr<TracedProcess> process = thread.process;
  const std::shared_ptr<TracedSpace> space = process->space;
  const bool in_flight = thread.ordered;
  std::optional<Call> call = std::move(thread.call);
  call_ended(thread);
  if (in_flight) space->order_lost = true;  // killed within a call: nobody knows what it did
  if (!thread.exiting) {
    thread.exiting = true;
    --process->live_threads;
    --space->live_threads;
  }
  if (!process->silent && started_) {
    resync_if_needed(*process);
    measure(*process);
    // What it shares with a parent until it calls execve is not its own.
    if (space->live_threads == 0 && !process->model.attached) {
      const auto figures = kernel::read_resident_figures(thread.tid);
      if (figures) process->peak_rss = figures->peak_resident;
    }
    if (may_verify() && space->live_threads == 0 && !space->order_lost) verify(*process);
    const bool own_exit = call && call->spec->id == kernel::SyscallId::kExit;
    if (own_exit && process->live_threads > 0) {
      model::Event event = new_event(model::EventKind::kThreadExit, *process, thread.tid);
      event.syscall = "exit";
      event.arguments = std::move(call->arguments);
      event.stack = call->stack;
      emit(*process, event);
    } else if (call && (own_exit || call->spec->id == kernel::SyscallId::kExitGroup)) {
      process->exit_call = std::move(call);
    }
  }
  look_by_a_living_thread(*process);
  if (!let_end(thread)) resume(thread);
  release_waiting(*space);
  adopt_orphans();
}

// A parent that waits by pidfd_open is told when its child has ended, but gets no status before the
// tracer has taken note of the end (kernel/exit.c, wait_consider_task); some do not ask again. So
// the main thread, whose end is the process's, is let go at its last stop. A child of ours is not
// waited for by anybody else.
bool Tracer::let_end(Thread& thread) {
  const std::shared_ptr<TracedProcess> process = thread.process;
  const pid_t tid = thread.tid;
  const bool ours = options_.attach_pid == 0 && tid == first_pid_;
  if (detaching_ || ours || tid != process->model.pid) return false;
  const auto status = kernel::trace_event_message(tid);
  if (!status) return false;  // killed at this stop: on_gone
  process->main_let_go = true;
  thread.stopped = false;
  end_if_last(process, static_cast<int>(*status));  // while its number is still its own
  kernel::trace_detach(tid, 0);
  return true;
}

// `status` is of the last thread: where a group ends together, all have the same one.
void Tracer::end_if_last(const std::shared_ptr<TracedProcess>& process, int status) {
  if (!process->main_let_go) return;
  const auto threads = std::ranges::count_if(
      threads_, [&](const auto& entry) { return entry.second->process == process; });
  if (threads > 1) return;
  threads_.erase(process->model.pid);
  report_end(process, status);
}

void Tracer::on_gone(pid_t tid, int status) {
  early_stops_.erase(tid);
  Thread* thread = find_thread(tid);
  if (thread == nullptr) return;
  thread = &who_ends(*thread);
  const std::shared_ptr<TracedProcess> process = thread->process;
  const std::shared_ptr<TracedSpace> space = process->space;
  if (thread->ordered) space->order_lost = true;
  call_ended(*thread);
  if (!thread->exiting) {
    --process->live_threads;
    --space->live_threads;
  }
  threads_.erase(tid);
  look_by_a_living_thread(*process);
  release_waiting(*space);
  adopt_orphans();
  if (tid == process->model.pid) {
    report_end(process, status);
  } else {
    end_if_last(process, status);
  }
}

void Tracer::report_end(const std::shared_ptr<TracedProcess>& process, int status) {
  const pid_t pid = process->model.pid;
  if (pid == first_pid_) {
    outcome_.exit_status = exit_code(status);
    OwnSignals::end_on_request();
  }
  if (started_) {
    model::Event event = new_event(model::EventKind::kProcessExit, *process, pid);
    if (!WIFSIGNALED(status)) event.syscall = "exit";
    event.result = status;
    event.peak_rss_bytes = process->peak_rss;
    if (const std::optional<Call>& call = process->exit_call) {
      event.arguments = call->arguments;
      event.stack = call->stack;
    }
    emit(*process, event);
  }
  end_process(process);
}

void Tracer::end_process(const std::shared_ptr<TracedProcess>& process) {
  count_stacks(*process->space);
  processes_.erase(process->model.pid);
}

void Tracer::count_stacks(const TracedSpace& space) {
  if (space.live_threads == 0 && space.unwinder) {
    add_statistics(unwinder_statistics_, space.unwinder->statistics());
  }
}

}  // namespace mini::sources
