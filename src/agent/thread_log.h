// What one thread tells the recorder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "agent/record_ring.h"
#include "agent/sample_distance.h"
#include "agent/session.h"
#include "agent/told_stacks.h"
#include "wire/record.h"

namespace mini::agent {

using unwind::self::capture_caller;

/// Used by its thread alone, in memory that a fork wipes: all zero, it has no session.
class ThreadLog {
 public:
  /// This thread's, connected; null where nobody records, or inside the agent itself.
  static ThreadLog* current();
  static ThreadLog* begin();
  /// To be called when a thread ends: what it still does begins another log.
  static void end_thread();

  /// To be called before nothing can be recorded of this thread any more: counts as a loss.
  void fall_silent();
  /// For a thread that t_inside says is in the agent, where one with this sp calls: whether it has
  /// left a record half done, as by siglongjmp out of a signal handler. Then it is outside from
  /// here on, and the record counts as lost.
  static bool has_left(std::uintptr_t sp);

  /// REQUIRES of these: t_inside, so that no signal handler comes in between.
  void add_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                      const Caller& caller);
  /// Whether the block was one of those that are recorded.
  bool add_free(const void* block, const Caller& caller);
  /// Takes the free back.
  void add_restored(const void* block, const Caller& caller);
  /// A block is a pool's memory from now on.
  void add_pool_memory(const void* block, const Caller& caller);
  void add_mapping(const wire::Mapping& mapping, const Caller& caller);
  void add_marker(const char* text);
  /// To be called before a fork: a child's recording refers to this moment of ours.
  void add_fork();
  /// For a fork in the middle of a record of this thread: whether the child finds all that this
  /// needs.
  static void keep_on_fork(bool keep);
  /// In the child: the record goes nowhere.
  static void leave_to_original();
  /// To be called after a dlclose, and before a dlopen, since the C library unloads what it loaded
  /// itself (iconv): tells of the modules that are gone.
  void add_unloaded_modules();

 private:
  void forget();
  void forget_record();
  void forget_usable() { std::memset(&told_usable_[0], 0, sizeof told_usable_); }
  bool connect(Session& session, std::uint32_t ring);
  bool is_sampled(std::size_t bytes);
  void draw_distance(const Session& session);
  bool is_usable_told(std::size_t bytes, wire::CallKind call) const;
  bool knows_usable(std::size_t bytes) const;
  void tell_usable(const void* block, std::size_t bytes);
  void add_free_with_stack(const void* block, const Caller& caller);
  void add_change(const void* block, std::size_t bytes, wire::CallKind call, const Caller& caller);
  void put_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                      std::uint32_t stack);
  bool needs_time(const void* block);

  RecordRing ring_;
  SampleDistance distance_;
  // For how many requested bytes the recorder knows the usable ones, by multiples of 8: no
  // allocator's sizes end in between.
  static constexpr std::size_t kTellOnceBytes = std::size_t{32} << 10;
  std::uint64_t told_usable_[kTellOnceBytes / 8 / 64 + 1];
  ToldStacks stacks_;  // large, and mostly not touched
};

/// This thread's; null where it has none.
extern constinit thread_local ThreadLog* t_log __attribute__((tls_model("initial-exec")));

inline ThreadLog* ThreadLog::current() {
  ThreadLog* const log = t_log;
  // A child of a fork finds its thread's log wiped.
  if (log != nullptr && log->ring_.is_open() && log->ring_.session()->is_open()) [[likely]]
    return log;
  return begin();
}

/// Whether this thread may not read the counter of wire/clock.h, nor perhaps call the kernel: then
/// nothing of it is recorded.
extern constinit thread_local bool t_is_silent __attribute__((tls_model("initial-exec")));
/// Finds out whether a new thread may. If not, it is silent from here on.
bool may_read_counter();

/// Has end_thread() called when this thread ends, if that can be had without the heap.
void watch_end_of_thread();

/// Bytes that this thread may ask for before a block has to be recorded; 0 where all are, and
/// before the first.
extern constinit thread_local std::uint64_t t_bytes_to_sample
    __attribute__((tls_model("initial-exec")));

/// Where this thread came into the agent, by its caller's sp: what it allocates there is not the
/// program's. 0 outside of it. Initial-exec: an access is one instruction, and allocates nothing.
extern constinit thread_local std::uintptr_t t_inside __attribute__((tls_model("initial-exec")));
/// In t_inside, which an sp leaves free: in a function of the allocator's, whose own calls are not
/// the program's; in an operator of its, where no calls are, also not those that make an exception.
inline constexpr std::uintptr_t kInAllocator = 1;
inline constexpr std::uintptr_t kInOperator = kInAllocator | 2;

/// Whether this thread is in the agent already where a caller with this sp comes there: in the
/// second form, that of the function that it is written in.
inline bool is_inside(std::uintptr_t sp) {
  return t_inside != 0 && !ThreadLog::has_left(sp);
}
[[gnu::always_inline]] inline bool is_inside() {
  return is_inside(capture_caller().sp);
}

}  // namespace mini::agent
