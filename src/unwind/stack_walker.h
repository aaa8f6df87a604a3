// One step outwards: from a frame's registers to its caller's.
#pragma once

#include "unwind/stack_memory.h"
#include "unwind/unwind_row.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

enum class Step : std::uint8_t {
  kStepped,
  kOutermost,   // call frame information: no caller
  kNoRule,      // no information, or an expression that cannot be evaluated
  kCut,         // the caller is not to be found from here, by no means
  kUnreadable,  // the words the rules name are not readable
};

/// Applies `row` to `inner`. On kStepped *outer holds the caller's registers: what the row does not
/// restore keeps its inner value, the stack pointer is the CFA unless the row says otherwise.
Step step_by_row(const UnwindRow& row, const Registers& inner, StackMemory& memory,
                 Registers* outer);

/// Follows a frame pointer chain (saved rbp, return address) where the frame pointer is aligned and
/// not below the stack pointer. Whether the return address is code is for the caller to check.
Step step_by_frame_pointer(const Registers& inner, StackMemory& memory, Registers* outer);

/// Steps over the frame the kernel pushes for a signal handler (struct rt_sigframe of x86-64 after
/// the handler's return), for trampolines without call frame information.
Step step_by_signal_frame(const Registers& inner, StackMemory& memory, Registers* outer);

}  // namespace mini::unwind
