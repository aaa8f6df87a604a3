// Births, new programs and deaths of what is followed.
#include <algorithm>
#include <fmt/format.h>
#include <sched.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/elf_class.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"
#include "sources/own_signals.h"
#include "sources/program_image.h"
#include "sources/tracer.h"

namespace mini::sources {
namespace {

// A birth is reported in the moment it happens; half a second is plenty.
constexpr int kMostBirthTicks = 25;

// Whether the child of the call that `registers` are in runs in its parent's memory.
bool child_shares_memory(const kernel::ThreadRegisters& registers, const MemoryReader& memory) {
  switch (registers.syscall_number) {
#ifdef SYS_vfork
    case SYS_vfork:
      return true;
#endif
    case SYS_clone:
      return (registers.arguments[0] & CLONE_VM) != 0;
    case SYS_clone3: {
      // struct clone_args begins with its flags.
      const auto flags = memory.read_object<std::uint64_t>(Address{registers.arguments[0]});
      return flags && (*flags & CLONE_VM) != 0;
    }
    default:
      return false;
  }
}

/// By what the child gets; the kernel's event says only with which signal it ends, and whether its
/// parent waits.
std::string_view name_of(int event, bool shares_memory) {
  if (!shares_memory) return "fork";
  return event == PTRACE_EVENT_VFORK ? "vfork" : "clone";
}

void add_statistics(unwind::UnwinderStatistics& sum, const unwind::UnwinderStatistics& more) {
  sum.stacks_count += more.stacks_count;
  sum.truncated_count += more.truncated_count;
  // These two are of the modules all unwinders share.
  sum.modules_count = std::max(sum.modules_count, more.modules_count);
  sum.rejected_modules_count = std::max(sum.rejected_modules_count, more.rejected_modules_count);
}

bool is_setuid(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

void Tracer::make_unwinder(TracedSpace& space) {
  if (options_.stacks) space.unwinder.emplace(modules_);
}

void Tracer::notice_once(const std::string& key, const std::string& line) {
  if (noticed_.insert(key).second) sink_.on_notice(line);
}

void Tracer::warn_of_setuid(const TracedProcess& process) {
  const std::string& path = process.model.executable;
  if (::geteuid() == 0 || !is_setuid(process.space->root + path)) return;
  notice_once(path, fmt::format("{} is setuid or setgid: under trace it runs without that "
                                "privilege, unless heapspy runs as root",
                                path));
}

void Tracer::add_launched(pid_t pid) {
  auto process = std::make_shared<TracedProcess>(pid);
  process->model.space = process->space->model;
  process->live_threads = process->space->live_threads = 1;
  first_pid_ = pid;
  processes_.emplace(pid, process);
  threads_.emplace(pid, std::make_unique<Thread>(pid, process));
}

void Tracer::add_attached(pid_t pid, pid_t tid) {
  auto& process = processes_[pid];
  if (process == nullptr) {
    process = std::make_shared<TracedProcess>(pid);
    process->model.space = process->space->model;
    process->model.attached = true;
    first_pid_ = pid;
    attaching_ = true;
    start_ticking();
  }
  ++process->live_threads;
  ++process->space->live_threads;
  threads_.emplace(tid, std::make_unique<Thread>(tid, process));
}

void Tracer::start_attached(TracedProcess& process) {
  load_image(process);
  if (kernel::has_userfaultfd(process.model.pid)) process.memory.read_present_pages_only();
  make_unwinder(*process.space);
  const auto status = kernel::read_status(process.model.pid);
  process.model.parent_pid = status ? status->parent : 0;
  model::Event event = new_event(model::EventKind::kProcessStart, process, process.model.pid);
  event.parent_pid = process.model.parent_pid;
  event.note = "attach";
  emit(process, event);
}

void Tracer::on_birth(Thread& parent, int event) {
  const auto tid = kernel::trace_event_message(parent.tid);
  if (tid && *tid != 0) {
    const auto registers = kernel::read_registers(parent.tid);
    const bool shares = registers && child_shares_memory(*registers, parent.process->memory);
    adopt(*parent.process, static_cast<pid_t>(*tid), shares, name_of(event, shares));
  }
  resume(parent);
}

// The kernel copies what it is told to (MADV_DONTFORK), and other threads may have been at work;
// the child has not run yet, so its own list says exactly what it got.
void Tracer::copy_space(const TracedSpace& space, pid_t child, TracedSpace& copy) {
  *copy.model = *space.model;
  read_anew(*copy.model, child);
  copy.modelled = true;
  copy.root = space.root;
  copy.malloc = space.malloc;
  copy.read_implies_exec = space.read_implies_exec;
  copy.grows_down = space.grows_down;
  make_unwinder(copy);
}

std::shared_ptr<TracedProcess> Tracer::make_child(const TracedProcess& parent, pid_t pid,
                                                  bool shares_memory) {
  auto child = std::make_shared<TracedProcess>(pid);
  child->unwanted = parent.unwanted || !options_.follow;
  child->silent = child->unwanted || parent.silent;
  child->model.parent_pid = parent.model.pid;
  child->model.executable = parent.model.executable;
  child->model.interpreter = parent.model.interpreter;
  child->model.entry_point = parent.model.entry_point;
  child->model.phase = parent.model.phase;
  if (shares_memory) {
    child->space = parent.space;
  } else if (!child->silent) {
    copy_space(*parent.space, pid, *child->space);
  }
  if (parent.memory.reads_present_pages_only()) child->memory.read_present_pages_only();
  child->model.space = child->space->model;
  return child;
}

void Tracer::adopt(TracedProcess& parent, pid_t tid, bool shares_memory, std::string_view how) {
  if (find_thread(tid) != nullptr) return;
  const auto status = kernel::read_status(tid);
  // Killed before it ran, or it has lived and died as an orphan's: nothing is left to follow.
  if (!status || status->has_ended()) return;
  std::shared_ptr<TracedProcess> process;
  if (status->thread_group == parent.model.pid) {
    process = processes_.at(parent.model.pid);
  } else {
    process = processes_[tid] = make_child(parent, tid, shares_memory);
  }
  ++process->live_threads;
  ++process->space->live_threads;
  Thread& thread = *(threads_[tid] = std::make_unique<Thread>(tid, process));
  if (tid == process->model.pid) {
    model::Event event = new_event(model::EventKind::kProcessStart, *process, tid);
    event.parent_pid = parent.model.pid;
    event.note = how;
    emit(*process, event);
  }
  if (early_stops_.erase(tid) > 0) {
    thread.stopped = true;
    resume(thread);
  }
}

// Whether a thread is left that may yet report the birth of a child that has stopped.
bool Tracer::may_be_announced(const kernel::ProcessStatus& child) const {
  auto creator = processes_.find(child.thread_group);
  if (creator == processes_.end()) creator = processes_.find(child.parent);
  if (creator != processes_.end()) return creator->second->live_threads > 0;
  return std::ranges::any_of(processes_,
                             [](const auto& entry) { return entry.second->live_threads > 0; });
}

// A child whose creator was killed before it could report the birth would stay stopped for ever. As
// long as a report may come it is waited for: it says how the child was made. But the creator may
// be a thread that another one's execve has ended, so it is not waited for without end.
void Tracer::adopt_orphans() {
  std::vector<pid_t> stopped;
  for (const auto& [tid, ticks] : early_stops_) stopped.push_back(tid);
  for (const pid_t tid : stopped) {
    const auto status = kernel::read_status(tid);
    if (status && early_stops_[tid] < kMostBirthTicks && may_be_announced(*status)) continue;
    auto parent = processes_.end();
    if (status) parent = processes_.find(status->thread_group);
    if (status && parent == processes_.end()) parent = processes_.find(status->parent);
    if (parent == processes_.end()) parent = processes_.find(first_pid_);
    if (status && parent != processes_.end()) adopt(*parent->second, tid, false, "fork");
    if (early_stops_.erase(tid) > 0) kernel::trace_continue(tid, 0);
  }
}

// Of the threads a process had, execve leaves one, and it takes over the process's id.
void Tracer::leave_one_thread(Thread& survivor) {
  for (auto it = threads_.begin(); it != threads_.end();) {
    Thread& thread = *it->second;
    if (&thread == &survivor || thread.process != survivor.process) {
      ++it;
      continue;
    }
    call_ended(thread);
    if (!thread.exiting) --thread.process->space->live_threads;
    it = threads_.erase(it);
  }
  const pid_t pid = survivor.process->model.pid;
  if (survivor.tid == pid) return;
  auto node = threads_.extract(survivor.tid);
  node.key() = pid;
  survivor.tid = pid;
  threads_.insert(std::move(node));
}

// Returns the address space that the process had.
std::shared_ptr<TracedSpace> Tracer::begin_space(TracedProcess& process) {
  const std::shared_ptr<TracedSpace> old = std::exchange(process.space, nullptr);
  --old->live_threads;
  const std::optional<unwind::Unwinder>& unwinder = old->unwinder;
  if (old->live_threads == 0 && unwinder) {
    add_statistics(unwinder_statistics_, unwinder->statistics());
  }
  process.space = std::make_shared<TracedSpace>();
  process.space->live_threads = process.live_threads = 1;
  process.model.space = process.space->model;
  return old;
}

void Tracer::report_exec(TracedProcess& process, std::optional<Call> call) {
  model::Event event = new_event(model::EventKind::kExec, process, process.model.pid);
  event.syscall = call ? call->spec->name : "execve";
  event.note = process.model.executable;
  if (call) {
    event.arguments = std::move(call->arguments);
    event.stack = std::move(call->stack);
  }
  emit(process, event);
}

void Tracer::on_exec(Thread& leader) {
  const std::shared_ptr<TracedProcess> process = leader.process;
  const pid_t pid = leader.tid;
  const auto former = kernel::trace_event_message(pid);
  Thread* caller = former ? find_thread(static_cast<pid_t>(*former)) : nullptr;
  if (caller == nullptr) caller = &leader;
  std::optional<Call> call = std::exchange(caller->call, std::nullopt);
  leave_one_thread(*caller);
  if (process->reader != pid) process->look_by(pid);
  caller->stopped = true;
  const std::shared_ptr<TracedSpace> old_space = begin_space(*process);
  process->exit_call.reset();
  started_ = true;
  const auto kind = kernel::classify_process(pid);
  const bool foreign = kind == kernel::FileKind::kElf32 || kind == kernel::FileKind::kForeign;
  process->silent = process->unwanted || foreign;
  if (foreign && !process->unwanted) {
    notice_once("32-bit", fmt::format("process {} is a 32-bit program: followed, but its memory is "
                                      "not shown",
                                      pid));
  }
  if (!process->silent) {
    load_image(*process);
    make_unwinder(*process->space);
    warn_of_setuid(*process);
    report_exec(*process, std::move(call));
  }
  resume(*caller);
  release_waiting(*old_space);
}

void Tracer::look_by_a_living_thread(TracedProcess& process) {
  const Thread* const reader = find_thread(process.reader);
  if (reader != nullptr && !reader->exiting) return;
  for (const auto& [tid, thread] : threads_) {
    if (thread->process.get() == &process && !thread->exiting) return process.look_by(tid);
  }
}

// The last moment at which the thread's address space can be looked at.
void Tracer::on_exit_stop(Thread& thread) {
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
  resume(thread);
  release_waiting(*space);
  adopt_orphans();
}

void Tracer::on_gone(pid_t tid, int status) {
  early_stops_.erase(tid);
  Thread* thread = find_thread(tid);
  if (thread == nullptr) return;
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
  if (tid != process->model.pid) return;
  if (tid == first_pid_) {
    outcome_.exit_status = exit_code(status);
    OwnSignals::end_on_request();
  }
  if (started_) {
    model::Event event = new_event(model::EventKind::kProcessExit, *process, tid);
    if (!WIFSIGNALED(status)) event.syscall = "exit";
    event.result = status;
    if (const std::optional<Call>& call = process->exit_call) {
      event.arguments = call->arguments;
      event.stack = call->stack;
    }
    emit(*process, event);
  }
  end_process(process);
}

void Tracer::end_process(const std::shared_ptr<TracedProcess>& process) {
  const TracedSpace& space = *process->space;
  if (space.live_threads == 0 && space.unwinder) {
    add_statistics(unwinder_statistics_, space.unwinder->statistics());
  }
  processes_.erase(process->model.pid);
}

}  // namespace mini::sources
