// What the tracer knows of the threads, processes and address spaces it follows.
//
// Ownership: a thread shares its process, a process shares its address space (vfork's child and
// its parent have one in common until execve).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "heaps/glibc.h"
#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"
#include "kernel/process_memory.h"
#include "kernel/registers.h"
#include "kernel/syscall_table.h"
#include "model/event.h"
#include "model/process.h"
#include "unwind/unwinder.h"

namespace mini::sources {

struct Thread;

/// A memory system call between its entry stop and its exit stop.
struct Call {
  const kernel::SyscallSpec* spec = nullptr;
  kernel::ThreadRegisters registers;       // at entry
  std::vector<model::Argument> arguments;  // empty until they are read
  std::optional<kernel::OpenFile> file;    // of mmap's fd
  unwind::CallStackRef stack;
  std::optional<model::MallocState> malloc_state;
  std::optional<model::MallocRequest> malloc_request;
};

/// An address space and the calls that are changing it.
///
/// The order in which two threads' calls took effect cannot be seen from outside, so calls that
/// change mappings are let into the kernel one at a time: the kernel would serialise them anyway
/// (mmap_lock). A call that is held up (a page fault served by another thread of the target, say)
/// must not hold up the rest for ever: then the rest is let go, order_lost is set, and the model
/// is read anew once no call is in flight.
struct TracedSpace {
  std::shared_ptr<model::AddressSpace> model = std::make_shared<model::AddressSpace>();
  bool modelled = false;  // a process that is shown has it: the model is kept up to date
  std::optional<unwind::Unwinder> unwinder;  // nullopt where stacks are not taken
  bool modules_changed = true;               // since the unwinder was told
  std::optional<heaps::GlibcMalloc> malloc;
  int malloc_searches = 0;
  std::string root;  // put before paths when the target's files are opened
  bool read_implies_exec = false;
  bool grows_down = false;  // a MAP_GROWSDOWN mapping was made: the kernel moves its start
  Bytes stack_growth;       // of the main stack, noticed and not yet in an event
  std::uint64_t unexplained_bytes = 0;  // kernel's size - model's, when its stack was looked up
  std::size_t live_threads = 0;         // of all processes that share it
  std::size_t in_flight = 0;            // ordered calls between entry and exit
  std::deque<Thread*> waiting;          // stopped at the entry of an ordered call
  bool order_lost = false;
  bool held_up = false;  // something was waiting at the last tick already, for the same call
};

struct TracedProcess {
  explicit TracedProcess(pid_t id) : memory(id), maps(id), size(id), reader(id) { model.pid = id; }
  TracedProcess(const TracedProcess&) = delete;
  TracedProcess& operator=(const TracedProcess&) = delete;

  /// From now on the memory is looked at by this thread's number.
  void look_by(pid_t tid) {
    memory.look_by(tid);
    maps = kernel::MapsQuery(tid);
    size = kernel::SizeReader(tid);
    reader = tid;
  }

  model::Process model;
  std::shared_ptr<TracedSpace> space = std::make_shared<TracedSpace>();
  kernel::ProcessMemory memory;
  kernel::MapsQuery maps;
  kernel::SizeReader size;
  // The main thread; another where that has ended and others go on: the kernel shows nothing by its
  // number then.
  pid_t reader;
  std::size_t live_threads = 0;  // that have not reached their exit stop
  bool silent = false;           // followed without a word: not wanted, or 32-bit
  // A silent child of vfork changes the memory of a parent that is shown: its calls are followed.
  bool ignored() const { return silent && !space->modelled; }
  bool unwanted = false;  // silent for good: --no-follow
  std::uint64_t events_since_verified = 0;
  std::optional<Bytes> last_rss;
  std::optional<Bytes> peak_rss;  // at its end
  std::optional<Call> exit_call;  // exit_group, where that is how it ended
  bool main_let_go = false;       // the main thread, at its exit stop
};

struct Thread {
  explicit Thread(pid_t id, std::shared_ptr<TracedProcess> owner)
      : tid(id), process(std::move(owner)) {}

  /// At its exit stop; other threads of its process are left.
  bool was_let_go() const { return process->main_let_go && tid == process->model.pid; }

  pid_t tid;
  std::shared_ptr<TracedProcess> process;
  std::optional<Call> call;
  bool ordered = false;          // its call counts in TracedSpace::in_flight
  bool waiting = false;          // it is in TracedSpace::waiting
  bool exiting = false;          // past its exit stop
  bool stopped = false;          // in a ptrace stop that we have not ended
  std::optional<int> held_stop;  // while attaching: the wait status to act on later
};

}  // namespace mini::sources
