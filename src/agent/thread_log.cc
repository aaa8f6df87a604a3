// Each event is a record, or more, of the thread's ring: record_ring.h says how one is put.
#include "agent/thread_log.h"

#include <cstring>
#include <malloc.h>

#include "agent/code.h"
#include "agent/guard.h"
#include "agent/keep_errno.h"
#include "agent/real.h"
#include "agent/sampled_blocks.h"
#include "agent/told_modules.h"
#include "kernel/vm/vm.h"
#include "wire/clock.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;

/// A fork in a signal handler would copy what is half done.
class SignalsBlocked {
 public:
  SignalsBlocked() = default;
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { vm::restore_signals(before_); }

 private:
  std::uint64_t before_ = vm::block_signals();
};

std::uint64_t address_of(const void* block) {
  return reinterpret_cast<std::uint64_t>(block);
}

}  // namespace

constinit thread_local std::uintptr_t t_inside __attribute__((tls_model("initial-exec"))) = 0;

constinit thread_local bool t_is_silent __attribute__((tls_model("initial-exec"))) = false;
constinit thread_local ThreadLog* t_log __attribute__((tls_model("initial-exec"))) = nullptr;
constinit thread_local std::uint64_t t_bytes_to_sample __attribute__((tls_model("initial-exec"))) =
    0;

ThreadLog* ThreadLog::begin() {
  const KeepErrno keep;
  if (t_is_silent || !may_read_counter()) return nullptr;
  const SignalsBlocked blocked;
  Session* const session = Session::current();
  if (session == nullptr) return nullptr;
  std::uint32_t ring = t_log != nullptr ? t_log->ring_.number() : 0;
  if (!session->take_ring(&ring)) {
    session->count_lost_event();
    return nullptr;
  }
  ThreadLog* log = session->log_of(ring);
  // Memory that was wiped is used again, and so is that of a session before this one.
  if (log == nullptr) log = t_log;
  if (log == nullptr) log = static_cast<ThreadLog*>(vm::map_wiped_on_fork(sizeof(ThreadLog)));
  if (log == nullptr || !log->connect(*session, ring)) {
    t_log = nullptr;  // it is of that ring, and perhaps another's soon
    session->slot().ring(ring).state.store(wire::RingState::kClosed, std::memory_order_release);
    session->count_lost_event();
    return nullptr;
  }
  t_log = log;
  watch_end_of_thread();
  return log;
}

// Of a session before this one: what it told belongs to another slot. Or of a thread that ended
// without a word, perhaps in the middle of a record.
void ThreadLog::forget() {
  stacks_.forget_session();
  ring_.session()->set_log(ring_.number(), nullptr);
  ring_.forget();
  forget_usable();
}

// The stacks that a log told of before, for a thread that has ended, are known by that ring.
bool ThreadLog::connect(Session& session, std::uint32_t ring) {
  if (ring_.is_open()) forget();
  session.set_log(ring, this);
  const std::uint32_t most = session.settings().most_frames;
  if (!stacks_.start(most < wire::kMostFrames ? most : wire::kMostFrames)) return false;
  t_bytes_to_sample = 0;
  if (session.settings().sample_bytes != 0) {
    distance_.seed(wire::now_ticks() ^ std::uint64_t{vm::thread_id()} << 32);
    draw_distance(session);
  }
  ring_.open(session, ring);
  return true;
}

void ThreadLog::end_thread() {
  ThreadLog* const log = t_log;
  if (log == nullptr || !log->ring_.is_open()) return;
  const SignalsBlocked blocked;
  t_log = nullptr;
  log->stacks_.stop();
  log->ring_.close();  // and the log may be another thread's
}

void ThreadLog::fall_silent() {
  ring_.session()->slot().slot().silent_threads.fetch_add(1, std::memory_order_relaxed);
  end_thread();
}

inline bool ThreadLog::needs_time(const void* block) {
  return ring_.session()->page_owners().needs_time(address_of(block), ring_.number());
}

// The byte at the next point is the first that may not be asked for.
void ThreadLog::draw_distance(const Session& session) {
  t_bytes_to_sample = distance_.next(session.settings().sample_bytes) - 1;
}

// The caller found that the next point may be in this block, but this thread's first point may not
// have been drawn then.
bool ThreadLog::is_sampled(std::size_t bytes) {
  if (passes_sample(bytes)) return false;
  // From the block's end on: the process has no memory.
  draw_distance(*ring_.session());
  return true;
}

// Of a small block with an alignment nothing is told: it has more than others of its size, and how
// much more depends on the alignment.
inline bool ThreadLog::is_usable_told(std::size_t bytes, wire::CallKind call) const {
  if (call == wire::CallKind::kPool) return false;
  return bytes > kTellOnceBytes || (call != wire::CallKind::kAligned && !knows_usable(bytes));
}

inline bool ThreadLog::knows_usable(std::size_t bytes) const {
  const std::size_t step = (bytes + 7) / 8;
  return bytes <= kTellOnceBytes && (told_usable_[step / 64] >> step % 64 & 1) != 0;
}

// Of large blocks each time: their sizes have no fixed steps. There is room for it.
void ThreadLog::tell_usable(const void* block, std::size_t bytes) {
  if (!can_ask_usable()) return;
  const std::size_t usable = malloc_usable_size(const_cast<void*>(block));
  if (usable < bytes) return;  // a block of somebody else's
  const std::size_t step = (bytes + 7) / 8;
  if (bytes <= kTellOnceBytes) told_usable_[step / 64] |= std::uint64_t{1} << step % 64;
  ring_.put(wire::record_word(wire::RecordKind::kUsable), bytes, usable);
}

[[gnu::always_inline]] inline void ThreadLog::add_allocation(const void* block, std::size_t bytes,
                                                             wire::CallKind call,
                                                             const Caller& caller) {
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !is_sampled(bytes)) return;
  std::uint32_t stack = 0;
  if (!stacks_.find(ring_, caller, &stack)) return ring_.drop_event();
  constexpr std::uint32_t kMostWords = 1 + wire::head_words(wire::RecordKind::kUsable) +
                                       wire::head_words(wire::RecordKind::kLargeAllocation);
  if (!ring_.make_room(kMostWords)) return;
  if (sampled != nullptr && !sampled->add(block)) return ring_.drop_event();
  ring_.put_time_if(
      ring_.session()->page_owners().needs_time(address_of(block), ring_.number(), bytes));
  if (is_usable_told(bytes, call)) [[unlikely]]
    tell_usable(block, bytes);
  put_allocation(block, bytes, call, stack);
  ring_.publish();
}

// There is room for it.
inline void ThreadLog::put_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                                      std::uint32_t stack) {
  const auto detail = static_cast<std::uint8_t>(call);
  if (bytes < wire::kLargeBytes) [[likely]] {
    ring_.put(wire::block_word(wire::RecordKind::kAllocation, address_of(block), detail),
              std::uint64_t{bytes} << wire::kStackBits | stack);
  } else {
    ring_.put(wire::block_word(wire::RecordKind::kLargeAllocation, address_of(block), detail),
              stack, bytes);
  }
}

[[gnu::always_inline]] inline bool ThreadLog::add_free(const void* block, const Caller& caller) {
  if (is_sampling() && !g_sampled_blocks.load(std::memory_order_relaxed)->take(block)) return false;
  if (ring_.session()->settings().free_stacks != 0) [[unlikely]] {
    add_free_with_stack(block, caller);
    return true;
  }
  if (!ring_.make_room(1 + wire::head_words(wire::RecordKind::kFree))) return true;
  ring_.put_time_if(needs_time(block));
  ring_.put(wire::block_word(wire::RecordKind::kFree, address_of(block)));
  ring_.publish();
  return true;
}

void ThreadLog::add_free_with_stack(const void* block, const Caller& caller) {
  std::uint32_t stack = 0;
  if (!stacks_.find(ring_, caller, &stack)) return ring_.drop_event();
  if (!ring_.make_room(1 + wire::head_words(wire::RecordKind::kFreeWithStack))) return;
  ring_.put_time_if(needs_time(block));
  ring_.put(wire::block_word(wire::RecordKind::kFreeWithStack, address_of(block)), stack);
  ring_.publish();
}

// With a size and a stack for who does not know of the block's allocation.
void ThreadLog::add_restored(const void* block, const Caller& caller) {
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !sampled->add(block)) return ring_.drop_event();
  const std::size_t bytes = can_ask_usable() ? malloc_usable_size(const_cast<void*>(block)) : 0;
  add_change(block, bytes, wire::CallKind::kRestored, caller);
}

void ThreadLog::add_pool_memory(const void* block, const Caller& caller) {
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !sampled->take(block)) return;
  add_change(block, 0, wire::CallKind::kPool, caller);
}

// What became of a block that was told of before.
void ThreadLog::add_change(const void* block, std::size_t bytes, wire::CallKind call,
                           const Caller& caller) {
  std::uint32_t stack = 0;
  if (!stacks_.find(ring_, caller, &stack)) return ring_.drop_event();
  if (!ring_.make_room(1 + wire::head_words(wire::RecordKind::kLargeAllocation))) return;
  ring_.put_time_if(needs_time(block));
  put_allocation(block, bytes, call, stack);
  ring_.publish();
}

void ThreadLog::add_mapping(const wire::Mapping& mapping, const Caller& caller) {
  std::uint32_t stack = 0;
  if (!stacks_.find(ring_, caller, &stack)) return ring_.drop_event();
  if (!ring_.make_room(1 + wire::head_words(wire::RecordKind::kMapping))) return;
  ring_.put_time();
  ring_.put(wire::record_word(wire::RecordKind::kMapping, 0,
                              static_cast<std::uint8_t>(mapping.operation)),
            mapping.address, mapping.bytes, mapping.old_address, mapping.old_bytes, stack);
  ring_.publish();
}

void ThreadLog::add_marker(const char* text) {
  const std::size_t bytes = strnlen(text, wire::kMostMarkerBytes);
  const auto words = static_cast<std::uint32_t>((bytes + 7) / 8);
  if (!ring_.make_room(1 + wire::kMarkerHeadWords + words)) return;
  ring_.put_time();
  ring_.put(wire::record_word(wire::RecordKind::kMarker), bytes);
  ring_.put_texts(text, bytes, nullptr, 0);
  ring_.publish();
}

// The others' records have times from here on too, so that they are told before the copy or after
// it.
void ThreadLog::add_fork() {
  const std::uint32_t number = ring_.session()->begin_fork();
  ring_.session()->channel().beat.fetch_add(1, std::memory_order_relaxed);
  if (number == 0 || !ring_.make_room(1 + wire::head_words(wire::RecordKind::kFork))) return;
  ring_.put_time();
  ring_.put(wire::record_word(wire::RecordKind::kFork), number);
  ring_.publish();
}

void ThreadLog::add_unloaded_modules() {
  const KeepErrno keep;
  code_table().refresh();
  tell_gone_modules(ring_);
  ring_.session()->forget_modules_without_place();
}

void record_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                       const Caller& caller) {
  if (block == nullptr) return;
  tell(
      caller, [&](ThreadLog& log) { log.add_allocation(block, bytes, call, caller); },
      [&] { record_allocation(block, bytes, call, caller); });
}

bool record_free(const void* block, const Caller& caller) {
  bool is_recorded = false;
  if (block == nullptr) return is_recorded;
  tell(
      caller, [&](ThreadLog& log) { is_recorded = log.add_free(block, caller); },
      [&] { is_recorded = record_free(block, caller); });
  return is_recorded;
}

void note_restored(const void* block, const Caller& caller) {
  tell(caller, [&](ThreadLog& log) { log.add_restored(block, caller); });
}

}  // namespace mini::agent
