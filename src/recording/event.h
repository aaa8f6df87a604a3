// What a recording says of a process, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/preload_obstacle.h"
#include "base/units.h"

namespace mini::recording {

/// Numbers that a recording gives to what its events refer to; each counts from 1, 0 is "none".
using ThreadNumber = std::uint32_t;
using ModuleNumber = std::uint32_t;
using FrameNumber = std::uint32_t;
using StackNumber = std::uint32_t;

/// What the recording is of. Written first.
struct ProcessFacts {
  std::uint64_t pid = 0;
  std::uint64_t parent_pid = 0;
  std::vector<std::string> command = {};  // argv; may be empty
  std::string executable = {};            // path
  std::uint64_t start_unix_ns = 0;        // of the recording, on the wall clock
  std::uint64_t sample_bytes = 0;  // mean distance of Poisson sampling; 0: every allocation is here
  // Of a process that began as a copy of another one, by fork: the file name of that one's
  // recording, which is in the same folder, and the number of the fork in it. "": of no copy, or of
  // one whose blocks are not known.
  std::string origin = {};
  std::uint64_t origin_fork = 0;
};

/// An ELF file with code of the process. Never changed once defined: a file that is loaded again
/// elsewhere is another module.
struct ModuleFacts {
  std::string path;
  std::string build_id;  // lower-case hexadecimal; "" where there is none
  Address load_bias{};   // address in memory - address in the file
};

/// One return address.
struct FrameFacts {
  ModuleNumber module = 0;    // 0: code of no known file
  std::uint64_t address = 0;  // in the file's own numbering; in memory where module is 0

  bool operator==(const FrameFacts&) const = default;
};

/// What a frame means in the source: one for each inlined function, innermost first.
struct SourceFrame {
  std::string function;  // demangled; "" where unknown
  std::string file;      // "" where unknown
  std::uint32_t line = 0;
  bool inlined = false;
};

/// A call stack is a frame and the stack of its caller.
struct StackFacts {
  StackNumber caller = 0;  // 0: this frame is the outermost
  FrameNumber frame = 0;
};

struct ThreadFacts {
  std::uint64_t tid = 0;
  std::string name;
};

/// kRestored takes back the last free of its thread, which was of the same block: a realloc failed,
/// and the block is as it was. Where that free is not known it is a block like any other.
enum class CallKind : std::uint8_t { kMalloc, kCalloc, kRealloc, kAligned, kNew, kPool, kRestored };

/// A pool's block (kPool) has this bit in its address, since it may begin where the block does that
/// the pool is in. Without it the event says that the block at the address is a pool's memory from
/// now on: no block of the program's any more, until it is freed.
inline constexpr std::uint64_t kPoolAddress = std::uint64_t{1} << 63U;

inline bool is_pool_memory(CallKind kind, Address address) {
  return kind == CallKind::kPool && (address.value & kPoolAddress) == 0;
}

/// No block is larger than the address space: where a recording says so, it is not believed.
inline constexpr std::uint64_t kMostBlockBytes = std::uint64_t{1} << 47U;

/// A block was given to the program. In a recording that samples, it stands for `weight_bytes`
/// (docs/recording-format.md says how); else that is 0.
struct Allocation {
  std::uint64_t time_ns = 0;  // since the recording began; a recording keeps whole microseconds
  ThreadNumber thread = 0;
  Address address{};
  std::uint64_t requested_bytes = 0;
  StackNumber stack = 0;
  CallKind kind = CallKind::kMalloc;
  std::uint64_t weight_bytes = 0;
  std::uint16_t place = 0;  // a reader's: see Visitor::events_end()
};

/// What a recorded block of this size stands for, where points lie on the line of all bytes at
/// exponentially distributed distances with this mean; 0 where that is 0.
std::uint64_t sample_weight(std::uint64_t requested_bytes, std::uint64_t sample_bytes);

/// A block was given back. A realloc is a free of the old block, then an allocation of kind
/// kRealloc, with the same time.
struct Free {
  std::uint64_t time_ns = 0;
  ThreadNumber thread = 0;
  Address address{};
  StackNumber stack = 0;    // 0 unless stacks of frees are recorded
  std::uint16_t place = 0;  // as an allocation's
};

/// An allocation or a free, as many of them are handed on at once: see Visitor::heap_events() and
/// Writer::add().
struct HeapEvent {
  std::uint64_t time_ns = 0;
  Address address{};
  std::uint64_t requested_bytes = 0;  // of an allocation, as the next one
  std::uint64_t weight_bytes = 0;
  ThreadNumber thread = 0;
  StackNumber stack = 0;
  std::uint16_t place = 0;
  CallKind kind = CallKind::kMalloc;
  bool is_free = false;

  static HeapEvent of(const Allocation& event) {
    return {.time_ns = event.time_ns,
            .address = event.address,
            .requested_bytes = event.requested_bytes,
            .weight_bytes = event.weight_bytes,
            .thread = event.thread,
            .stack = event.stack,
            .place = event.place,
            .kind = event.kind};
  }
  static HeapEvent of(const Free& event) {
    return {.time_ns = event.time_ns,
            .address = event.address,
            .thread = event.thread,
            .stack = event.stack,
            .place = event.place,
            .is_free = true};
  }
  Allocation allocation() const {
    return {time_ns, thread, address, requested_bytes, stack, kind, weight_bytes, place};
  }
  Free free() const { return {time_ns, thread, address, stack, place}; }
};

/// What the kernel held for the process at a moment.
struct KernelSample {
  std::uint64_t time_ns = 0;
  Bytes resident{};        // RSS
  Bytes peak_resident{};   // VmHWM
  Bytes agent_resident{};  // of `resident`, about: the agent's rings and indexes of stacks
  Bytes break_bytes{};     // the [heap] region
  Bytes mapped_bytes{};    // VmSize
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  Bytes proportional{};  // PSS; 0: not asked at that moment
};

/// The program asked the kernel for pages itself, or gave some back.
struct Mapping {
  std::uint64_t time_ns = 0;
  ThreadNumber thread = 0;
  enum class Operation : std::uint8_t {
    kMap,
    kUnmap,
    kRemap,    // from the old range to the new one
    kDiscard,  // stays mapped, and reads as zeros
  };
  Operation operation = Operation::kMap;
  Address address{};
  Bytes bytes{};
  Address old_address{};  // of kRemap
  Bytes old_bytes{};
  StackNumber stack = 0;
};

/// What the allocator said of a block of some size: from now on blocks for which so many bytes are
/// asked have so many.
struct UsableSize {
  std::uint64_t time_ns = 0;
  ThreadNumber thread = 0;
  std::uint64_t requested_bytes = 0;
  std::uint64_t usable_bytes = 0;
};

/// A page of the program was used for the first time since the kernel gave it: a page fault.
struct Touch {
  std::uint64_t time_ns = 0;
  ThreadNumber thread = 0;
  Address address{};
  StackNumber stack = 0;  // of who used it
};

/// Whether touches were recorded at all. Comes once, if that was asked for.
struct TouchWatch {
  std::uint64_t time_ns = 0;
  std::string refusal;     // "": they were
  std::uint64_t lost = 0;  // of all processes of the recorder, so far
};

/// A name that the program gave to a moment.
struct Marker {
  std::uint64_t time_ns = 0;
  ThreadNumber thread = 0;
  std::string text;
};

/// The process was copied: its blocks at this place of the recording are the child's, too.
struct Fork {
  std::uint64_t time_ns = 0;
  std::uint64_t number = 0;  // counts from 1
};

/// A program that the process, or one that came from it, became or started, and that could have no
/// agent: it ran, and is in no recording.
struct UnrecordedProgram {
  std::uint64_t time_ns = 0;  // when it was first known of
  PreloadObstacle obstacle = PreloadObstacle::kNone;
  std::uint64_t count = 0;  // how often, so far: of the same path and obstacle the last one holds
  std::string path;         // as it was called; "" of all for which there was no room
};

/// A block that nothing led to any more when the recorder looked.
struct LostBlock {
  Address address{};
  bool is_indirect = false;  // other lost blocks point to it
};

/// The search for leaks at the process's end. All other blocks that were live were reachable.
struct LeakScan {
  bool is_done = false;     // false: it was asked for, and could not be made
  bool is_refused = false;  // since the kernel did not permit it
  std::uint64_t time_ns = 0;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t unreadable_bytes = 0;  // that should have been scanned
  std::vector<LostBlock> lost;         // by address
};

/// What was lost so far, and known to be lost.
struct Losses {
  std::uint64_t dropped_events = 0;    // the ring was full
  std::uint64_t truncated_stacks = 0;  // no unwind information, or too deep
};

/// How it ended. Missing where the recorder was killed.
struct Ending {
  std::uint64_t time_ns = 0;
  enum class Kind : std::uint8_t { kExited, kKilled, kExec, kDetached, kUnknown };
  Kind kind = Kind::kUnknown;
  std::uint32_t status = 0;  // exit status or signal number
  Losses losses{};
};

}  // namespace mini::recording
