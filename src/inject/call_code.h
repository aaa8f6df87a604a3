// The machine code that heapspy lets a borrowed thread execute, and the memory that it works on.
//
// Both pieces end by putting the thread back to where it was by themselves. So it does not matter
// when heapspy dies: a thread that has begun one of them comes to its end alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory_reader.h"
#include "base/units.h"
#include "kernel/thread_context.h"
#include "wire/attach.h"

namespace mini::inject {

/// One system call, and back: what fits into the slack of a code page.
/// The call's number and arguments are in the registers that the thread begins with.
std::vector<std::byte> system_call_code(const kernel::ThreadContext& back);
inline constexpr Bytes kSystemCallCodeBytes{112};
inline constexpr std::size_t kSystemCallSignBytes = 4;  // the same whatever the way back is
inline constexpr std::uint64_t kSystemCallEnd = 2;      // its offset after the call

enum class CallState : std::uint32_t { kRunning, kDone };
inline constexpr std::int32_t kLoadFailed = -1;  // a result beside those of wire::AttachAnswer

/// What the code of the call finds and leaves, at kBlockOffset from its first byte. The offsets are
/// in the code too.
struct CallBlock {
  std::uint64_t errno_location;  // functions of the target
  std::uint64_t dlopen;
  std::uint64_t dlsym;
  std::uint64_t dlerror;  // 0: there is none
  CallState state;
  std::int32_t result;
  std::uint64_t handle;  // of the agent
  std::uint64_t saved_errno;
  std::uint64_t blocked_signals;
  std::uint64_t saved_mask;  // that the thread gets back
  std::uint64_t open_flags;
  // What the thread gets back.
  std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  std::uint64_t rsp, flags, rip;
  char path[1008];         // of the agent
  std::uint64_t argument;  // of the function
  std::uint64_t known;     // the function, where nothing is loaded: see set_known_function()
  char function[32];       // what to call in it
  char error[256];         // what dlerror said
  std::uint64_t no_signals;
  std::uint64_t wait_seconds, wait_ns;  // for heapspy, at the end
  wire::AttachOrder order;
};

/// The memory of the call: [ code | block | extended state | stack ].
inline constexpr std::uint64_t kBlockOffset = 0x400;
inline constexpr std::uint64_t kExtendedStateOffset = 0x2000;
inline constexpr Bytes kMostExtendedState{0x3000};
inline constexpr std::uint64_t kStackEnd = 0x25000;
inline constexpr Bytes kCallMemory{kStackEnd};
static_assert(kBlockOffset + sizeof(CallBlock) <= kExtendedStateOffset);

/// Loads the agent and calls it, on a stack of its own, with all signals blocked and errno kept.
/// Then it waits for heapspy to put the thread back to where it was, at call_code_wait(), and does
/// so itself if nobody comes.
std::span<const std::byte> call_code();

/// The offset behind its wait. heapspy can do what code cannot: let signals through and go back
/// into an interrupted system call at once, so that a signal that came meanwhile interrupts it.
std::uint64_t call_code_wait();

/// Has the code call `function`, whose address is known, instead of loading anything. `place`:
/// where the code will be.
void set_known_function(CallBlock& block, Address function, Address place);

/// Whether a thread that is at `at` is in either of the two pieces: one that another heapspy left
/// there, most likely killed since.
bool is_in_our_code(Address at, const MemoryReader& memory);

/// Fills in what the thread gets back.
void set_way_back(CallBlock& block, const kernel::ThreadContext& back);

}  // namespace mini::inject
