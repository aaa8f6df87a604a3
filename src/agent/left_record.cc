// A record that its thread has left half done: a signal handler that came into the middle of it did
// not come back, but left by siglongjmp.
#include "agent/guard.h"
#include "agent/real.h"
#include "kernel/vm/shared.h"
#include "unwind/self/stack_bounds.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;
using unwind::self::StackBounds;

}  // namespace

// On one stack, whoever calls from further in may come back to the record, and nobody else. Where a
// coroutine's stack is, or one for signals, says nothing.
bool ThreadLog::has_left(std::uintptr_t sp) {
  const std::uintptr_t inside = t_inside;
  if (sp < (inside & ~kInOperator)) return false;
  if (!StackBounds::is_own(sp) || !StackBounds::is_own(inside)) return false;
  const vm::Range signals = vm::signal_stack();  // it may be a variable
  const auto is_for_signals = [&](std::uintptr_t at) {
    return at - reinterpret_cast<std::uintptr_t>(signals.at) < signals.bytes;
  };
  if (is_for_signals(sp) != is_for_signals(inside)) return false;
  t_inside = sp;
  if (t_log != nullptr && t_log->ring_.is_open()) t_log->forget_record();
  t_inside = 0;
  return true;
}

// Whatever the record was about to change may be half changed.
void ThreadLog::forget_record() {
  ring_.session()->count_lost_event();
  ring_.take_back();
  stacks_.forget_walk();
  forget_usable();
}

// Where it ends in a jump to another of these functions, that one returns into the agent.
bool is_of_others(const Caller& caller) {
  if ((t_inside & kInOperator) == kInOperator) return false;
  if ((t_inside & kInAllocator) != 0) {
    const auto own = reinterpret_cast<const void*>(&is_of_others);
    const auto by = reinterpret_cast<const void*>(caller.return_address);
    return !is_allocators(by) && library_of(by) != library_of(own);
  }
  if (Session* const session = Session::if_connected()) session->count_lost_event();
  return false;
}

}  // namespace mini::agent
