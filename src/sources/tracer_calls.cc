// Memory system calls from their entry stop to the event that reports them.
#include <cerrno>
#include <sched.h>
#include <string>

#include "kernel/ptrace.h"
#include "model/address_space.h"
#include "sources/call_arguments.h"
#include "sources/malloc_evidence.h"
#include "sources/own_signals.h"
#include "sources/program_image.h"
#include "sources/tracer.h"

namespace mini::sources {
namespace {

using kernel::SyscallId;

constexpr std::int64_t kFirstRestart = 512;  // ERESTARTSYS, include/linux/errno.h
constexpr std::int64_t kLastRestart = 516;

// A call that a signal interrupted is made again, with an entry stop of its own.
bool will_be_restarted(CallResult result) {
  return result.failed && -result.value >= kFirstRestart && -result.value <= kLastRestart;
}

// The arguments of other calls are read when they have returned: their text may lie in memory that
// is not there before (userfaultfd), and reading it would make us wait for the target.
bool leaves_nothing_to_read(SyscallId id) {
  return id == SyscallId::kExecve || id == SyscallId::kExecveat || id == SyscallId::kExit ||
         id == SyscallId::kExitGroup;
}

std::optional<kernel::OpenFile> file_argument(pid_t pid, const kernel::SyscallSpec& spec,
                                              const kernel::ThreadRegisters& registers) {
  constexpr std::uint64_t kAnonymous = 0x20;  // MAP_ANONYMOUS
  if (spec.id != SyscallId::kMmap) return std::nullopt;
  const int fd = static_cast<int>(registers.arguments[4]);
  if (fd < 0 || (registers.arguments[3] & kAnonymous) != 0) return std::nullopt;
  return kernel::read_open_file(pid, fd);
}

// Arguments are this architecture's registers; the stack walker knows x86-64's numbering.
unwind::Registers to_unwind(const kernel::ThreadRegisters& registers) {
  unwind::Registers out;
  for (std::size_t i = 0; i < std::min(out.value.size(), registers.dwarf.size()); ++i) {
    out.value[i] = registers.dwarf[i];
  }
  return out;
}

}  // namespace

void Tracer::on_seccomp_stop(Thread& thread) {
  if (thread.process->ignored()) return resume(thread);
  const auto registers = kernel::read_registers(thread.tid);
  if (!registers) return resume(thread);  // killed at the entry: the call is never made
  const kernel::SyscallSpec* spec = kernel::find_syscall(registers->syscall_number);
  if (spec == nullptr || !kernel::matches(*spec, registers->arguments)) return resume(thread);
  on_entry(thread, *spec, *registers);
}

// The exit of a memory call; without a filter, also the entry and exit of every call.
void Tracer::on_syscall_stop(Thread& thread) {
  const auto stop = kernel::trace_syscall_stop(thread.tid);
  if (!stop) {
    // Killed meanwhile, as by another thread's exec, it has taken its address space with it, unless
    // another process has that, too.
    const bool space_stays =
        errno != ESRCH || thread.process->space->live_threads > thread.process->live_threads;
    if (thread.call && space_stays) ++outcome_.lost_count;
    return resume(thread);
  }
  if (stop->kind == kernel::SyscallStop::Kind::kExit) {
    return thread.call ? on_exit(thread, {stop->result, stop->failed}) : resume(thread);
  }
  const bool wanted = stop->kind == kernel::SyscallStop::Kind::kEntry && stop->native &&
                      !thread.process->ignored() && !thread.call;
  const kernel::SyscallSpec* spec = wanted ? kernel::find_syscall(stop->number) : nullptr;
  const auto registers = spec != nullptr ? kernel::read_registers(thread.tid) : std::nullopt;
  if (!registers || !kernel::matches(*spec, registers->arguments)) return resume(thread);
  on_entry(thread, *spec, *registers);
}

void Tracer::on_entry(Thread& thread, const kernel::SyscallSpec& spec,
                      const kernel::ThreadRegisters& registers) {
  TracedProcess& process = *thread.process;
  if (!spec.shown) {
    if (spec.id == SyscallId::kClone) {
      keep_traced(thread, registers);
    } else {
      be_careful_with_memory(*process.space);
    }
    return resume(thread);
  }
  Call call;
  call.spec = &spec;
  call.registers = registers;
  call.file = file_argument(process.reader, spec, registers);
  if (leaves_nothing_to_read(spec.id)) {
    call.arguments = decode_arguments(spec, registers.arguments, process.memory, call.file);
  }
  if (options_.stacks && started_ && !process.silent) take_stack(process, call);
  thread.call = std::move(call);
  if (!spec.changes_mappings) return resume(thread);
  TracedSpace& space = *process.space;
  if (space.in_flight == 0 || space.order_lost) return let_go(thread);
  thread.waiting = true;
  space.waiting.push_back(&thread);
  start_ticking();
}

// A process that is to escape a tracer (LeakSanitizer's own, for one) would still have our filter,
// and the kernel refuses all calls that this stops while nobody traces: it stays one of ours. With
// clone3 the flags are in memory, and nobody was seen to do so.
void Tracer::keep_traced(const Thread& thread, const kernel::ThreadRegisters& registers) {
  const std::uint64_t flags = registers.arguments[0] & ~std::uint64_t{CLONE_UNTRACED};
  kernel::write_first_argument(thread.tid, flags);
}

// A userfaultfd is being made, see ProcessMemory::read_present_pages_only.
void Tracer::be_careful_with_memory(const TracedSpace& space) {
  for (const auto& [pid, process] : processes_) {
    if (process->space.get() == &space) process->memory.read_present_pages_only();
  }
}

void Tracer::let_go(Thread& thread) {
  thread.ordered = true;
  ++thread.process->space->in_flight;
  resume(thread);
}

// The thread's call is over, or the thread is.
void Tracer::call_ended(Thread& thread) {
  TracedSpace& space = *thread.process->space;
  if (thread.waiting) std::erase(space.waiting, &thread);
  if (thread.ordered) {
    --space.in_flight;
    space.held_up = false;
  }
  thread.waiting = false;
  thread.ordered = false;
  thread.call.reset();
}

void Tracer::release_waiting(TracedSpace& space) {
  while (!space.waiting.empty() && (space.in_flight == 0 || space.order_lost)) {
    Thread* next = space.waiting.front();
    space.waiting.pop_front();
    next->waiting = false;
    let_go(*next);
  }
}

void Tracer::resync_if_needed(TracedProcess& process) {
  TracedSpace& space = *process.space;
  if (!space.order_lost || space.in_flight != 0) return;
  read_anew(*space.model, process.reader);
  space.modules_changed = true;
  space.order_lost = false;
}

void Tracer::on_exit(Thread& thread, CallResult result) {
  const std::shared_ptr<TracedProcess> process = thread.process;
  Call call = std::exchange(thread.call, std::nullopt).value_or(Call());
  if (!will_be_restarted(result) && started_) report_call(thread, call, result);
  call_ended(thread);
  resync_if_needed(*process);
  resume(thread);
  release_waiting(*process->space);
}

void Tracer::report_call(Thread& thread, Call& call, CallResult result) {
  TracedProcess& process = *thread.process;
  const model::AddressSpace& space = *process.space->model;
  model::Event event = new_event(model::EventKind::kSystemCall, process, thread.tid);
  event.syscall = call.spec->name;
  if (call.arguments.empty()) {
    call.arguments =
        decode_arguments(*call.spec, call.registers.arguments, process.memory, call.file);
  }
  event.arguments = call.arguments;
  event.stack = call.stack;
  event.malloc_state = call.malloc_state;
  event.malloc_request = call.malloc_request;
  event.error_number = result.failed ? static_cast<int>(-result.value) : 0;
  event.result = result.failed ? -1 : result.value;
  event.break_before = space.program_break();
  event.mapped_before = space.mapped_bytes();
  Effect effect = apply_call(process, call, result);
  event.range = effect.range;
  event.mappings_before = std::move(effect.mappings);
  event.break_after = space.program_break();
  emit(process, event);
  if (may_verify() && ++process.events_since_verified >= options_.verify_every &&
      process.space->in_flight <= (thread.ordered ? 1U : 0U) && !process.space->order_lost) {
    verify(process);
  }
}

void Tracer::take_stack(TracedProcess& process, Call& call) {
  TracedSpace& space = *process.space;
  if (!space.unwinder) return;
  if (space.modules_changed) {
    space.unwinder->set_modules(code_modules(*space.model, process.reader), space.root);
    space.modules_changed = false;
  }
  call.stack = space.unwinder->unwind(to_unwind(call.registers), process.memory);
  MallocEvidence evidence =
      find_malloc_evidence(process, *modules_, *call.spec, call.registers, *call.stack);
  call.malloc_state = std::move(evidence.state);
  call.malloc_request = evidence.request;
}

model::Event Tracer::new_event(model::EventKind kind, const TracedProcess& process,
                               pid_t tid) const {
  model::Event event;
  event.kind = kind;
  event.pid = process.model.pid;
  event.tid = tid;
  event.break_before = process.space->model->program_break();
  event.break_after = event.break_before;
  event.mapped_before = process.space->model->mapped_bytes();
  return event;
}

// Reads the process's size. Where it is not the model's the main stack may have grown; returns by
// how much.
Bytes Tracer::measure(TracedProcess& process) {
  const auto size = process.size.read();
  if (!size) return {};
  process.last_rss = size->resident;
  TracedSpace& space = *process.space;
  const std::uint64_t unexplained = size->mapped.count - space.model->mapped_bytes().count;
  if (unexplained == space.unexplained_bytes) return {};
  space.unexplained_bytes = unexplained;
  if (unexplained == 0) return {};
  const Bytes grown = take_stack_growth(process);
  space.unexplained_bytes -= grown.count;
  space.stack_growth += grown;
  return grown;
}

void Tracer::emit(TracedProcess& process, model::Event& event) {
  if (process.silent) return;
  const auto since = std::chrono::steady_clock::now() - begin_;
  event.sequence = ++sequence_;
  event.time_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
  event.mapped_before += measure(process);
  event.stack_growth = std::exchange(process.space->stack_growth, {});
  event.heap_bytes = process.space->model->heap_bytes();
  event.mapped_bytes = process.space->model->mapped_bytes();
  event.rss_bytes = process.last_rss;
  sink_.on_event(event, process.model);
}

void Tracer::verify(TracedProcess& process) {
  process.events_since_verified = 0;
  measure(process);
  const auto kernel = read_mappings(process.reader);
  if (kernel.empty()) return;  // killed meanwhile: nothing left to compare with
  ++outcome_.verified_count;
  if (process.space->grows_down) return resync(*process.space->model, kernel);
  for (const std::string& line : model::compare_with_kernel(*process.space->model, kernel)) {
    sink_.on_difference(process.model, line);
  }
}

}  // namespace mini::sources
