// One step of the story: a memory system call (or a process event) with everything known of it.
//
// sources/ fills in what was measured; explain/ adds who, what it is and why; views/ only read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/units.h"
#include "model/cause.h"
#include "model/mapping.h"
#include "unwind/call_stack.h"

namespace mini::model {

enum class EventKind : std::uint8_t {
  kSystemCall,    // a memory system call that has returned
  kProcessStart,  // fork, vfork, clone of a process, or attach; no system call of its own
  kExec,          // a successful execve: the address space is new
  kThreadExit,
  kProcessExit,  // the last thread has gone; result is the wait status
};

struct Argument {
  enum class Form : std::uint8_t { kNumber, kBytes, kAddress, kText };
  std::string_view name;  // of the parameter, as the man page has it: "addr", "length"
  Form form = Form::kNumber;
  std::uint64_t value = 0;  // raw register value
  std::string text;         // kText: "PROT_READ|PROT_WRITE", a path, a name
};

/// What glibc's malloc knew when the call was made, read from the target's memory.
struct MallocState {
  std::string glibc_version;       // "2.36"
  std::optional<Bytes> top_bytes;  // size of the main arena's top chunk before the call
  std::optional<Address> top;      // its address; nullopt where the arena is still empty
  Bytes top_pad;
  Bytes mmap_threshold;
  Bytes trim_threshold;
  bool contiguous = true;  // main arena: no foreign sbrk seen by malloc
};

/// A request to malloc found in the registers and stack of its frames: derived, not measured.
struct MallocRequest {
  Bytes requested;
  Bytes chunk;  // what glibc makes of it
};

struct Event {
  EventKind kind = EventKind::kSystemCall;
  std::uint64_t sequence = 0;  // from 1, over the whole trace
  pid_t pid = 0;
  pid_t tid = 0;
  std::uint64_t time_ns = 0;  // since the trace began

  // What. `syscall` points to a string of static storage: "brk", "mmap"; "exit" for a thread's or
  // process's end, "execve" for kExec; "" where there was no call: a process's start, and its end
  // by a signal.
  std::string_view syscall;
  std::vector<Argument> arguments;
  std::int64_t result = 0;  // as returned; negative errno folded into error_number
  int error_number = 0;     // errno, 0 on success
  AddressRange range;       // the addresses the call was about; empty where there are none
  std::vector<Mapping> mappings_before;  // what that range held before; for mmap, after
  unwind::CallStackRef stack;            // null where it was not taken

  // What changed.
  std::optional<Address> break_before;
  std::optional<Address> break_after;
  Bytes heap_bytes;    // after the event
  Bytes mapped_bytes;  // after the event
  Bytes mapped_before;
  Bytes stack_growth;  // in mapped_before: what the kernel added to the main stack since the last
  std::optional<Bytes> rss_bytes;
  // kProcessExit: the most it had. Null where its memory was there before the trace, or was gone.
  std::optional<Bytes> peak_rss_bytes;

  // Evidence for the arithmetic of a glibc growth.
  std::optional<MallocState> malloc_state;
  std::optional<MallocRequest> malloc_request;

  pid_t parent_pid = 0;  // kProcessStart
  std::string note;      // kExec: the path; kProcessStart: "fork", "vfork", "attach"

  // Added by explain/.
  Phase phase = Phase::kProgram;
  Cause cause = Cause::kUnknown;
  std::string cause_detail;  // "stdio buffer", "libselinux.so.1 constructor"; may be empty
  std::optional<std::size_t> origin_frame;  // index of the first frame of the program's own code
  Role role = Role::kUnknown;
  std::string mapping_text;  // "libc.so.6 text r-x", "thread stack with its guard"
  std::string explanation;   // one sentence; may be empty
};

}  // namespace mini::model
