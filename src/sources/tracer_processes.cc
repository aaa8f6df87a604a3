// Births and new programs of what is followed.
#include <algorithm>
#include <fmt/format.h>
#include <sched.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/elf_class.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"
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

bool is_setuid(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
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
    auto status = kernel::read_status(tid);
    // The last thread of a process that has ended for us is nobody's child.
    if (status && status->thread_group != tid && !processes_.contains(status->thread_group)) {
      status.reset();
    }
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
  count_stacks(*old);
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
  process->main_let_go = false;
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

}  // namespace mini::sources
