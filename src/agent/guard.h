// The way from a function of the malloc family into the agent and out again.
#pragma once

#include <atomic>
#include <cstddef>

#include "agent/sampled_blocks.h"
#include "agent/thread_log.h"

namespace mini::agent {

/// Calls apply(log) if somebody records this thread and it is not in the agent already, as it is
/// where a signal interrupted the agent or where it looks something up: then false. Leaves errno as
/// it is. `sp` is that of who calls into the agent: see is_inside().
template <typename Apply>
inline bool with_log(std::uintptr_t sp, Apply&& apply) {
  if (is_inside(sp)) return false;
  t_inside = sp;
  if (ThreadLog* const log = ThreadLog::current()) apply(*log);
  t_inside = 0;
  return true;
}
template <typename Apply>
[[gnu::always_inline]] inline bool with_log(Apply&& apply) {
  return with_log(capture_caller().sp, apply);
}

/// Calls a function of the allocator's. What its library calls itself meanwhile, by the names that
/// the agent stands before, is not recorded again. `Where`: kInAllocator or kInOperator. No
/// exception may come out of it.
template <std::uintptr_t Where, typename Function, typename... Arguments>
auto call_inside(const Caller& caller, Function* function, const Arguments&... arguments) {
  struct Inside {
    explicit Inside(std::uintptr_t sp) : is_outermost(t_inside == 0) {
      if (is_outermost) t_inside = sp | Where;
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() {
      if (is_outermost) t_inside = 0;
    }
    bool is_outermost;
  } const inside(caller.sp);
  return function(arguments...);
}

/// While it lives, call_inside() is as if it were not.
class OutsideAllocator {
 public:
  OutsideAllocator() : inside_((t_inside & kInAllocator) != 0 ? t_inside : 0) {
    if (inside_ != 0) t_inside = 0;
  }
  OutsideAllocator(const OutsideAllocator&) = delete;
  OutsideAllocator& operator=(const OutsideAllocator&) = delete;
  ~OutsideAllocator() {
    if (inside_ != 0) t_inside = inside_;
  }

 private:
  std::uintptr_t inside_;
};

/// Whether an event that with_log() says false of is to be told all the same: others than the
/// allocator's library call what they call also inside of it. Where the event is lost, counts it.
bool is_of_others(const Caller& caller);

/// With apply(log) telling of an event; again() does the same once more. Where both are one, the
/// compiler makes a function of it: what is told of often goes without.
template <typename Apply, typename Again>
[[gnu::always_inline]] inline void tell(const Caller& caller, Apply&& apply, Again&& again) {
  if (with_log(caller.sp, apply)) [[likely]]
    return;
  if (!is_of_others(caller)) return;
  const OutsideAllocator outside;
  again();
}
template <typename Apply>
inline void tell(const Caller& caller, Apply&& apply) {
  tell(caller, apply, [&] { with_log(caller.sp, apply); });
}

/// Whether the next sample is not in a block of so many bytes, which then count as passed. They are
/// not given back if there is no such block in the end: the distances forget how far one has come.
inline bool passes_sample(std::size_t bytes) {
  std::uint64_t left = 0;
  if (__builtin_sub_overflow(t_bytes_to_sample, bytes, &left)) return false;  // one subtraction
  t_bytes_to_sample = left;
  return true;
}

/// Whether a block may be a sample. False where all are recorded.
inline bool may_be_sample(const void* block) {
  return g_sampled_blocks.load(std::memory_order_relaxed)->may_hold(block);
}

/// Whether a block of so many bytes is nobody's business, since blocks are sampled and it is none.
inline bool is_allocation_unrecorded(std::size_t bytes) {
  return is_sampling() && passes_sample(bytes);
}

/// The same of its free.
inline bool is_free_unrecorded(const void* block) {
  return is_sampling() && !may_be_sample(block);
}

/// What of an event is left to do once it has to be recorded. Not part of the callers, so that
/// those need no more registers than a call where nothing has.
void record_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                       const Caller& caller);
bool record_free(const void* block, const Caller& caller);

inline void note_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                            const Caller& caller) {
  if (is_allocation_unrecorded(bytes)) return;
  record_allocation(block, bytes, call, caller);
}

/// Whether the block was one of those that are recorded.
inline bool note_free(const void* block, const Caller& caller) {
  return !is_free_unrecorded(block) && record_free(block, caller);
}

/// To be called where note_free() was true, and the block was not freed after all.
void note_restored(const void* block, const Caller& caller);

}  // namespace mini::agent
