// A process's part of a recording: its slot of the channel.
#pragma once

#include <atomic>
#include <cstdint>

#include "agent/coverage.h"
#include "agent/page_owners.h"
#include "wire/channel.h"

namespace mini::agent {

class ThreadLog;

/// What a program that this one becomes or starts has to find in its environment. Null where nobody
/// recorded this one. Not wiped by a fork: a child that becomes another at once needs no session.
struct Carried {
  const char* agent = nullptr;        // path of this library
  const char* own_channel = nullptr;  // by which this process found the channel
  bool has_recorder = false;          // false: it is gone, reads no more, or is out of reach
  bool is_out_of_reach = false;       // there is one, whom programs of this user cannot tell
  char user_channel[wire::kMostDoorPathBytes] = {};  // where has_recorder: the variable's value

  /// What the variable is to be, or was.
  const char* channel() const { return has_recorder ? &user_channel[0] : own_channel; }
};
Carried carried_environment();

/// The channel, also of a child of fork or vfork that has told of nothing so far; null where nobody
/// reads it.
wire::Channel* read_channel();
/// To be called before another process is made, which may be there before it tells of itself.
void announce_child();
/// This process has no room for what it needs to tell of itself.
void count_roomless();
/// The same is taken back, before it becomes another program, which counts itself; false where it
/// was not counted.
bool take_back_roomless();
/// Wakes the recorder, if it sleeps.
void ring_doorbell(wire::Channel& channel);
/// How long the program is kept waiting for the recorder at the most: for room, a place, an answer.
inline constexpr std::uint64_t kMostWaitNs = 2'000'000'000;

/// One in a process, in memory that a fork wipes: a child finds it as it was before anything was
/// done, and gets a slot of its own. Thread-safe.
class Session {
 public:
  /// The process's; null where there is no memory for it, or nobody records.
  static Session* current();
  bool is_open() const { return state_.load(std::memory_order_acquire) == State::kReady; }
  /// Begins another recording of the process, on another channel. The session before it, if there
  /// was one, is closed; its memory stays, since a thread may be using it. False where a recorder
  /// still reads that one. REQUIRES: `path` is shorter than kMostChannelPathBytes.
  static bool renew(const char* path);
  /// The same, but begins nothing: null where this process told of nothing so far.
  static Session* if_connected();
  /// Nobody reads any more: from here on calls go straight to the real functions.
  void lose_recorder();

  const wire::Settings& settings() const { return settings_; }
  wire::Channel& channel() const { return *channel_; }
  wire::SlotView slot() const { return slot_; }
  PageOwners& page_owners() { return page_owners_; }

  /// A ring that is this thread's from now on, the one that `ring` says if it is free; false where
  /// all are taken, also by what the recorder could find.
  bool take_ring(std::uint32_t* ring);
  /// A number for the fork that is about to be made, which the child finds as its origin. 0 where
  /// this process has told of nothing so far: then its own origin is its child's.
  std::uint32_t begin_fork();
  /// For a fork in the middle of a record, by its thread: whether the child finds this as it is,
  /// and the slot is mapped in it.
  void keep_on_fork(bool keep);
  /// In the child: what it still writes here nobody reads. Its next session is another.
  void leave_to_original();
  /// In each child.
  static void forget_original();
  void count_lost_event() { slot_.slot().lost_events.fetch_add(1, std::memory_order_relaxed); }
  /// Wakes the recorder, if it sleeps.
  void ring_doorbell() { agent::ring_doorbell(*channel_); }

  /// Modules that the recorder has been told of, by where they begin, and what tells them from
  /// another that gets the same place.
  bool was_told(std::uintptr_t begin, std::uint64_t identity) const;
  void set_told(std::uintptr_t begin, std::uint64_t identity);
  /// Calls gone(begin) for each that was told of and for which is_there(begin, identity) is false,
  /// and forgets it.
  template <typename IsThere, typename Gone>
  void forget_modules(IsThere&& is_there, Gone&& gone) {
    const std::uint32_t count = modules_count_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < count && i < kMostModules; ++i) {
      ToldModule& told = modules_[i];
      std::uintptr_t begin = told.begin.load(std::memory_order_acquire);
      if (begin <= kTaken || is_there(begin, told.identity.load(std::memory_order_relaxed)))
        continue;
      if (!told.begin.compare_exchange_strong(begin, 0, std::memory_order_relaxed)) continue;
      gone(begin);
      unload_count_.fetch_add(1, std::memory_order_release);
    }
  }
  /// To be called where some may have gone: as far as there was no place for them.
  void forget_modules_without_place() {
    if (modules_count_.load(std::memory_order_acquire) <= kMostModules) return;
    unload_count_.fetch_add(1, std::memory_order_release);
  }
  /// How often a module went: what was told of addresses before may be wrong after.
  std::uint32_t unload_count() const { return unload_count_.load(std::memory_order_acquire); }

  /// The log that told of things on a ring last, of a thread that has ended. For whoever has taken
  /// that ring; null where there is none.
  ThreadLog* log_of(std::uint32_t ring) const { return logs_[ring]; }
  void set_log(std::uint32_t ring, ThreadLog* log) { logs_[ring] = log; }

 private:
  enum class State : std::uint32_t { kNew, kConnecting, kReady, kClosed };
  struct ToldModule {
    std::atomic<std::uintptr_t> begin;  // 0: the place is free; kTaken: somebody fills it in
    std::atomic<std::uint64_t> identity;
  };
  static constexpr std::uintptr_t kTaken = 1;

  bool connect();
  bool open();
  bool find_ring(std::uint32_t* ring);
  bool wait_for_ring(std::uint32_t* ring);
  std::byte* map_slot(std::uint32_t number, bool is_copy) const;
  static void describe_process(wire::Slot& slot, bool is_copy);
  void close();
  void stop_recording();
  Coverage coverage() const;
  bool is_read() const;
  bool has_lost_recorder() const;
  friend Carried carried_environment();

  std::atomic<State> state_;
  wire::Channel* channel_;
  wire::SlotView slot_;
  wire::Settings settings_;
  static constexpr std::size_t kMostModules = 4096;

  std::uint32_t serial_;  // of its claim
  std::atomic<std::uint32_t> forks_count_;
  std::atomic<std::uint32_t> unload_count_;
  std::atomic<std::uint32_t>
      modules_count_;  // places ever used; more than there are: one was missing
  std::atomic<std::uint64_t> no_ring_until_ns_;  // until then none is asked for
  ThreadLog* logs_[wire::kRings];
  ToldModule modules_[kMostModules];
  PageOwners page_owners_;
};

}  // namespace mini::agent
