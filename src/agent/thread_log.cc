// A record is put whole or not at all: make_room() first, for a time as well, then the words, then
// publish().
#include "agent/thread_log.h"

#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <span>

#include "agent/code.h"
#include "agent/guard.h"
#include "agent/patience.h"
#include "agent/real.h"
#include "agent/sampled_blocks.h"
#include "kernel/vm/own_mappings.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "unwind/self/loader_index.h"
#include "wire/clock.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;

constexpr std::uint64_t kWaitNs = 5'000'000;

constexpr std::uint32_t kMostEventsATime = 63;
constexpr std::uint64_t kMostTicksATime = std::uint64_t{1} << 15;  // some 10 microseconds

constinit unwind::self::CodeTable g_code;

/// What asks a C library's function must leave errno as it was.
class KeepErrno {
 public:
  KeepErrno() = default;
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;
  ~KeepErrno() { errno = saved_; }

 private:
  int saved_ = errno;
};

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

/// Words for the bytes of two texts, one after the other.
void put_texts(wire::RingWriter& ring, const char* first, std::size_t first_bytes,
               const std::uint8_t* second, std::size_t second_bytes) {
  const std::size_t bytes = first_bytes + second_bytes;
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    for (std::size_t i = at; i < bytes && i < at + sizeof word; ++i) {
      const auto byte =
          i < first_bytes ? static_cast<std::uint8_t>(first[i]) : second[i - first_bytes];
      word |= std::uint64_t{byte} << (8 * (i - at));
    }
    ring.put(word);
  }
}

std::uint64_t address_of(const void* block) {
  return reinterpret_cast<std::uint64_t>(block);
}

// What another module at the same place hardly has too, the memory of the loader's entry included.
std::uint64_t identity_of(const unwind::self::LoaderObject& object) {
  return address_of(object.entry) ^ object.map_end << 16 ^ object.frames_header << 32;
}

// The list may still have the one whose place it got.
bool is_of(const unwind::self::Module& module, const unwind::self::LoaderObject& object) {
  return module.bias == object.bias && module.frames.header == object.frames_header &&
         std::strcmp(module.path, object.path) == 0;
}

bool is_module_there(std::uintptr_t begin, std::uint64_t identity) {
  unwind::self::LoaderObject object;
  if (unwind::self::ask_loader_index(begin, &object) == unwind::self::LoaderAnswer::kModule) {
    return object.map_begin == begin && identity_of(object) == identity;
  }
  return address_of(g_code.modules().find(begin)) == identity;
}

}  // namespace

unwind::self::CodeTable& code_table() {
  return g_code;
}

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
  std::uint32_t ring = t_log != nullptr ? t_log->ring_number_ : 0;
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
  unwinder_.stop();
  forget_stacks();
  session_->set_log(ring_number_, nullptr);
  session_ = nullptr;
  unload_count_ = 0;
  std::memset(&told_usable_[0], 0, sizeof told_usable_);
}

// The stacks that a log told of before, for a thread that has ended, are known by that ring.
bool ThreadLog::connect(Session& session, std::uint32_t ring) {
  if (session_ != nullptr) forget();
  session.set_log(ring, this);
  ring_number_ = ring;
  wire::RingHead& head = session.slot().ring(ring);
  head.tid = vm::thread_id();
  ring_ = wire::RingWriter(head, session.slot().words(ring));
  const std::uint32_t most = session.settings().most_frames;
  if (!unwinder_.start(g_code, most < wire::kMostFrames ? most : wire::kMostFrames)) return false;
  events_to_time_ = events_a_time_ = 0;
  ticks_ = wire::now_ticks();
  t_bytes_to_sample = 0;
  if (session.settings().sample_bytes != 0) {
    distance_.seed(wire::now_ticks() ^ std::uint64_t{vm::thread_id()} << 32);
    draw_distance(session);
  }
  look_at_words_ = 0;
  session_ = &session;
  gave_up_ = false;
  return true;
}

void ThreadLog::end_thread() {
  ThreadLog* const log = t_log;
  if (log == nullptr || log->session_ == nullptr) return;
  const SignalsBlocked blocked;
  t_log = nullptr;
  log->session_ = nullptr;
  log->unwinder_.stop();  // what this stack held is of no use for another's
  log->ring_.head().state.store(wire::RingState::kClosed, std::memory_order_release);
}

void ThreadLog::fall_silent() {
  session_->slot().slot().silent_threads.fetch_add(1, std::memory_order_relaxed);
  end_thread();
}

// What was told of has the numbers that it had until the next stack, which says so.
void ThreadLog::forget_stacks() {
  index_.clear();
  std::memset(&numbers_[0], 0, sizeof numbers_);
}

inline bool ThreadLog::make_room(std::uint32_t words) {
  if (has_room(words)) [[likely]]
    return true;
  drop_event();
  return false;
}

bool ThreadLog::wait_for_room(std::uint32_t words) {
  session_->ring_doorbell();
  if (gave_up_ || session_->settings().overflow == wire::Overflow::kDrop) return false;
  wire::RingHead& head = ring_.head();
  // By the clock: the recorder wakes us whenever it has read, with or without room for us.
  for (Patience patience(kMostWaitNs); patience.lasts();) {
    head.is_full.store(1, std::memory_order_seq_cst);
    if (ring_.has_room(words)) {
      head.is_full.store(0, std::memory_order_relaxed);
      return true;
    }
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&head.is_full), 1, kWaitNs);
    if (ring_.has_room(words)) return true;
    if (!wire::has_reader(session_->channel())) {
      session_->lose_recorder();
      return false;
    }
  }
  gave_up_ = true;
  return false;
}

void ThreadLog::drop_event() {
  ring_.head().dropped_events.fetch_add(1, std::memory_order_relaxed);
}

// The recorder looks by itself every few milliseconds. Whether a faster thread has to wake it is
// looked at now and then only: what the recorder writes is in another processor's cache.
inline void ThreadLog::publish() {
  ring_.publish();
  if (ring_.written_words() >= look_at_words_) [[unlikely]]
    wake_recorder_if_due();
}

void ThreadLog::wake_recorder_if_due() {
  constexpr std::uint32_t kStep = wire::kRingWords / 8;
  look_at_words_ = ring_.written_words() + kStep;
  // A thread that has come this far goes on: the pages of its first way round, in one call.
  if (const std::uint64_t next = (ring_.written_words() / kStep + 1) * kStep;
      next < wire::kRingWords) {
    vm::populate(session_->slot().words(ring_number_) + next, kStep * sizeof(std::uint64_t));
  }
  gave_up_ = false;
  if (!ring_.has_room(wire::kRingWords / 2)) session_->ring_doorbell();
}

// What a block's record needs to be in order with those of other rings, and near its real time.
// There is room for it.
inline void ThreadLog::put_time_if(bool is_needed) {
  if (is_needed || events_to_time_ == 0 ||
      session_->channel().beat.load(std::memory_order_relaxed) != seen_beat_) [[unlikely]] {
    put_time();
  } else {
    --events_to_time_;
  }
}

inline bool ThreadLog::needs_time(const void* block) {
  return session_->page_owners().needs_time(address_of(block), ring_number_);
}

// There is room for it. The slower a thread's events come, the fewer of them share a time.
void ThreadLog::put_time() {
  seen_beat_ = session_->channel().beat.load(std::memory_order_relaxed);
  const std::uint64_t now = wire::now_ticks();
  // Samples are so far from each other that each would find those pages gone.
  if (session_->settings().sample_bytes == 0 && g_code.has_read_pages()) [[unlikely]]
    discard_read_pages(now);
  const std::uint64_t passed = now - ticks_;
  if (passed > kMostTicksATime) {
    events_a_time_ = passed > 8 * kMostTicksATime ? 0 : events_a_time_ / 2;
  } else if (events_to_time_ == 0 && events_a_time_ < kMostEventsATime) {
    events_a_time_ = 2 * events_a_time_ + 1;
  }
  events_to_time_ = events_a_time_;
  ticks_ = now;
  ring_.put(wire::record_word(wire::RecordKind::kTime, now));
}

// A program hardly meets new code once it has begun. So that this takes next to none of its time
// where it does, there is a rest after it.
void ThreadLog::discard_read_pages(std::uint64_t now) {
  constexpr std::uint64_t kRest = 100;                         // of what it took
  constexpr std::uint64_t kMostRest = std::uint64_t{1} << 24;  // some 6 ms
  if (!g_code.discard_read_pages(now)) return;
  const std::uint64_t end = wire::now_ticks();
  const std::uint64_t rest = kRest * (end - now);
  g_code.discard_no_pages_until(end + (rest < kMostRest ? rest : kMostRest));
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
  draw_distance(*session_);
  return true;
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

// False where there was no room to tell of it; 0 where there is none, or no memory. In a loop it is
// one of those of the loop's calls.
[[gnu::always_inline]] inline bool ThreadLog::find_stack(const Caller& caller,
                                                         std::uint32_t* stack) {
  std::uint64_t key = 0;
  if (unwinder_.find_key(caller, &key) && session_->unload_count() == unload_count_) [[likely]] {
    const StackNumber& known = number_of(key);
    if (known.key == key && known.number != 0) [[likely]] {
      *stack = known.number;
      return true;
    }
  }
  return find_stack_slowly(caller, stack);
}

[[gnu::always_inline]] inline void ThreadLog::add_allocation(const void* block, std::size_t bytes,
                                                             wire::CallKind call,
                                                             const Caller& caller) {
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !is_sampled(bytes)) return;
  std::uint32_t stack = 0;
  if (!find_stack(caller, &stack)) return drop_event();
  constexpr std::uint32_t kMostWords = 1 + wire::head_words(wire::RecordKind::kUsable) +
                                       wire::head_words(wire::RecordKind::kLargeAllocation);
  if (!make_room(kMostWords)) return;
  if (sampled != nullptr && !sampled->add(block)) return drop_event();
  put_time_if(session_->page_owners().needs_time(address_of(block), ring_number_, bytes));
  if (!knows_usable(bytes) && call != wire::CallKind::kPool) [[unlikely]] {
    tell_usable(block, bytes);
  }
  put_allocation(block, bytes, call, stack);
  publish();
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
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !sampled->take(block)) return false;
  if (session_->settings().free_stacks != 0) [[unlikely]] {
    add_free_with_stack(block, caller);
    return true;
  }
  if (!make_room(1 + wire::head_words(wire::RecordKind::kFree))) return true;
  put_time_if(needs_time(block));
  ring_.put(wire::block_word(wire::RecordKind::kFree, address_of(block)));
  publish();
  return true;
}

void ThreadLog::add_free_with_stack(const void* block, const Caller& caller) {
  std::uint32_t stack = 0;
  if (!find_stack(caller, &stack)) return drop_event();
  if (!make_room(1 + wire::head_words(wire::RecordKind::kFreeWithStack))) return;
  put_time_if(needs_time(block));
  ring_.put(wire::block_word(wire::RecordKind::kFreeWithStack, address_of(block)), stack);
  publish();
}

// With a size and a stack for who does not know of the block's allocation.
void ThreadLog::add_restored(const void* block, const Caller& caller) {
  SampledBlocks* const sampled = sampled_blocks();
  if (sampled != nullptr && !sampled->add(block)) return drop_event();
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
  if (!find_stack(caller, &stack)) return drop_event();
  if (!make_room(1 + wire::head_words(wire::RecordKind::kLargeAllocation))) return;
  put_time_if(needs_time(block));
  put_allocation(block, bytes, call, stack);
  publish();
}

void ThreadLog::add_mapping(const wire::Mapping& mapping, const Caller& caller) {
  std::uint32_t stack = 0;
  if (!find_stack(caller, &stack)) return drop_event();
  if (!make_room(1 + wire::head_words(wire::RecordKind::kMapping))) return;
  put_time();
  ring_.put(wire::record_word(wire::RecordKind::kMapping, 0,
                              static_cast<std::uint8_t>(mapping.operation)),
            mapping.address, mapping.bytes, mapping.old_address, mapping.old_bytes, stack);
  publish();
}

void ThreadLog::add_marker(const char* text) {
  const std::size_t bytes = strnlen(text, wire::kMostMarkerBytes);
  const auto words = static_cast<std::uint32_t>((bytes + 7) / 8);
  if (!make_room(1 + wire::kMarkerHeadWords + words)) return;
  put_time();
  ring_.put(wire::record_word(wire::RecordKind::kMarker), bytes);
  put_texts(ring_, text, bytes, nullptr, 0);
  publish();
}

// The others' records have times from here on too, so that they are told before the copy or after
// it.
void ThreadLog::add_fork() {
  const std::uint32_t number = session_->begin_fork();
  session_->channel().beat.fetch_add(1, std::memory_order_relaxed);
  if (number == 0 || !make_room(1 + wire::head_words(wire::RecordKind::kFork))) return;
  put_time();
  ring_.put(wire::record_word(wire::RecordKind::kFork), number);
  publish();
}

// A stack that was told of before is found by the hash of all its frames.
bool ThreadLog::find_stack_slowly(const Caller& caller, std::uint32_t* stack) {
  const unwind::self::Chain chain = unwinder_.unwind(caller);
  const bool is_complete = chain.end == unwind::self::StackEnd::kComplete;
  if (!is_complete) [[unlikely]] {
    ring_.head().truncated_stacks.fetch_add(1, std::memory_order_relaxed);
  }
  if (const std::uint32_t unloads = session_->unload_count(); unloads != unload_count_)
      [[unlikely]] {
    unload_count_ = unloads;
    forget_stacks();
  }
  *stack = index_.find(chain.hash);
  if (*stack == 0 && chain.count != 0 && !tell_stack(chain, stack)) return false;
  if (is_complete) number_of(unwinder_.key()) = {unwinder_.key(), *stack};
  return true;
}

// Its frames from the first on that is not that of the stack told of before, in as many records as
// they need.
bool ThreadLog::tell_stack(const unwind::self::Chain& chain, std::uint32_t* stack) {
  if (index_.count() == wire::kMostStacks) forget_stacks();
  if (!index_.make_room()) return true;
  const bool is_first = index_.count() == 0;
  if (is_first) told_count_ = 0;
  std::uint32_t at = 0;
  while (at < told_count_ && at < chain.count && told_[at] == chain.pcs[at]) ++at;
  bool goes_on = true;
  while (goes_on) {
    const std::uint32_t rest = chain.count - at;
    const std::uint32_t count = rest < wire::kMostFramesARecord ? rest : wire::kMostFramesARecord;
    goes_on = count != rest;
    for (std::uint32_t i = at; i < at + count; ++i) {
      if (!tell_module_of(chain.pcs[i])) return false;
    }
    if (!has_room(1 + wire::head_words(wire::RecordKind::kStack) + count)) return false;
    put_time();  // another ring may have told of their modules
    const int detail =
        (is_first && at == 0 ? wire::kForgetsStacks : 0) | (goes_on ? wire::kGoesOn : 0);
    ring_.put(wire::stack_word(at, count, static_cast<std::uint8_t>(detail)));
    for (const std::uint32_t end = at + count; at < end; ++at) {
      ring_.put(told_[at] = chain.pcs[at]);
    }
    told_count_ = at;
    publish();
  }
  *stack = index_.insert(chain.hash);
  return true;
}

// Before any stack has code of a module the recorder is told where it is. Frames are new only now
// and then, and the loader's index needs no lock. False where there was no room.
bool ThreadLog::tell_module_of(std::uint64_t pc) {
  const KeepErrno keep;
  unwind::self::LoaderObject object;
  unwind::self::Module mapped;
  const auto answer = unwind::self::ask_loader_index(pc - 1, &object);
  const unwind::self::Module* module = g_code.modules().find(pc - 1);
  std::uint64_t identity = address_of(module);
  if (answer == unwind::self::LoaderAnswer::kModule) {
    identity = identity_of(object);
    if (session_->was_told(object.map_begin, identity)) return true;
    if (module == nullptr || !is_of(*module, object)) {
      const bool is_known = unwind::self::describe_mapped_module(object, &mapped);
      mapped.path = object.path;
      mapped.path_bytes = std::strlen(object.path);
      module = is_known ? &mapped : nullptr;
    }
  } else if (module != nullptr) {
    object.map_begin = module->code.begin;
  }
  if (module == nullptr || session_->was_told(object.map_begin, identity)) return true;
  if (module->path_bytes > wire::kMostPathBytes) return true;
  tell_gone_modules();  // whose place it may have
  if (!tell_module(*module, object.map_begin)) return false;
  session_->set_told(object.map_begin, identity);
  return true;
}

// As the loader has it, it may be meant from the folder that the program was in then. Names without
// a folder are no files: the vDSO's.
std::string_view ThreadLog::path_of(const unwind::self::Module& module) {
  const std::string_view path(module.path, module.path_bytes);
  if (path.starts_with('/') || path.find('/') == std::string_view::npos) return path;
  const std::span<char> room = unwinder_.scratch();
  const std::size_t bytes = vm::find_own_file(module.code.begin, room);
  return bytes != 0 ? std::string_view(room.data(), bytes) : path;
}

bool ThreadLog::tell_module(const unwind::self::Module& module, std::uint64_t begin) {
  const std::string_view path = path_of(module);
  const std::size_t bytes = path.size() + module.build_id_bytes;
  const auto words = static_cast<std::uint32_t>(wire::kModuleHeadWords + (bytes + 7) / 8);
  if (!has_room(1 + words)) return false;
  put_time();
  ring_.put(wire::record_word(wire::RecordKind::kModule), module.bias, begin, module.code.end,
            path.size() | std::uint64_t{module.build_id_bytes} << 32);
  put_texts(ring_, path.data(), path.size(), &module.build_id[0], module.build_id_bytes);
  publish();
  return true;
}

void ThreadLog::add_unloaded_modules() {
  const KeepErrno keep;
  g_code.refresh();
  tell_gone_modules();
  session_->forget_modules_without_place();
}

void ThreadLog::tell_gone_modules() {
  session_->forget_modules(is_module_there, [this](std::uintptr_t begin) {
    if (!make_room(1 + wire::head_words(wire::RecordKind::kModuleGone))) return;
    put_time();
    ring_.put(wire::record_word(wire::RecordKind::kModuleGone), begin);
    publish();
  });
}

void record_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                       const Caller& caller) {
  if (block == nullptr) return;
  tell(caller, [&](ThreadLog& log) { log.add_allocation(block, bytes, call, caller); });
}

bool record_free(const void* block, const Caller& caller) {
  bool is_recorded = false;
  if (block == nullptr) return is_recorded;
  tell(caller, [&](ThreadLog& log) { is_recorded = log.add_free(block, caller); });
  return is_recorded;
}

void note_restored(const void* block, const Caller& caller) {
  tell(caller, [&](ThreadLog& log) { log.add_restored(block, caller); });
}

}  // namespace mini::agent
