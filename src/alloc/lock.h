// A mutual exclusion lock of four bytes that needs no libc.
//
// Ranks: a thread takes locks in the order of LockRank, so that no two threads wait for each other;
// a checked build aborts where that is broken.
#pragma once

#include <atomic>
#include <cstdint>

#include "alloc/checked.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {

/// Whether the thread holds every lock there is, as around a fork: then taking one again and giving
/// it back do nothing, so that other fork handlers, which run in between, may allocate.
extern constinit thread_local bool t_holds_all_locks __attribute__((tls_model("initial-exec")));

/// A section is some hundred nanoseconds long, so its end is worth a short wait before sleeping.
inline constexpr int kSpins = 100;

/// Tells the processor that this is such a wait.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// 0 free, 1 held, 2 held and perhaps waited for. Zero-initialised memory is a free lock.
/// Acquire on lock and release on unlock order what the lock protects; the word itself needs no
/// more. While there is one thread, plain reads and writes of it do: the atomic ones would be half
/// of what a large block costs.
class Lock {
 public:
  constexpr explicit Lock(LockRank rank) : rank_(rank) {}

  void lock() {
    if (t_holds_all_locks) return;
    if constexpr (kChecked) note_lock(rank_.value());
    std::uint32_t free = 0;
    if (kernel::vm::is_only_thread() && state_.load(std::memory_order_relaxed) == free) {
      state_.store(1, std::memory_order_relaxed);
      return;
    }
    if (!state_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_slowly();
    }
  }

  void unlock() {
    if (t_holds_all_locks) return;
    if constexpr (kChecked) note_unlock(rank_.value());
    if (kernel::vm::is_only_thread()) return state_.store(0, std::memory_order_relaxed);
    if (state_.exchange(0, std::memory_order_release) == 2) kernel::vm::wake_one(word());
  }

  /// In the child of a fork, where those that wait for it do not exist. REQUIRES: held.
  void reset() {
    if constexpr (kChecked) note_unlock(rank_.value());
    state_.store(0, std::memory_order_relaxed);
  }

 private:
  void lock_slowly() {
    for (int i = 0; i < kSpins; ++i) {
      std::uint32_t free = 0;
      if (state_.load(std::memory_order_relaxed) == 0 &&
          state_.compare_exchange_weak(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
      relax();
    }
    while (state_.exchange(2, std::memory_order_acquire) != 0) kernel::vm::wait(word(), 2);
  }

  // std::atomic<uint32_t> has the representation of uint32_t on every platform we know.
  std::uint32_t* word() { return reinterpret_cast<std::uint32_t*>(&state_); }

  std::atomic<std::uint32_t> state_{0};
  [[no_unique_address]] CheckedRank rank_;
};
static_assert(kChecked || sizeof(Lock) == 4);

/// A lock for which hardly anybody waits: who finds it held does something else. So it is released
/// by a plain write, and costs half of what a Lock does.
class TryLock {
 public:
  constexpr explicit TryLock(LockRank rank) : rank_(rank) {}

  [[nodiscard]] bool try_lock() {
    if (t_holds_all_locks) return true;
    if (held_.exchange(true, std::memory_order_acquire)) return false;
    if constexpr (kChecked) note_lock(rank_.value());
    return true;
  }
  /// For what is seldom done.
  void lock() {
    for (int spins = 0; !try_lock(); ++spins) {
      if (spins < kSpins) {
        relax();
      } else {
        kernel::vm::nap();
      }
    }
  }
  /// A moment ago.
  bool is_held() const { return held_.load(std::memory_order_relaxed); }
  void unlock() {
    if (t_holds_all_locks) return;
    if constexpr (kChecked) note_unlock(rank_.value());
    held_.store(false, std::memory_order_release);
  }
  /// As Lock::reset().
  void reset() {
    if constexpr (kChecked) note_unlock(rank_.value());
    held_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> held_{false};
  [[no_unique_address]] CheckedRank rank_;
};

template <typename AnyLock>
class [[nodiscard]] Locked {
 public:
  explicit Locked(AnyLock& lock) : lock_(lock) { lock_.lock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { lock_.unlock(); }

 private:
  AnyLock& lock_;
};

/// Locked, or not: to be asked.
class [[nodiscard]] TryLocked {
 public:
  explicit TryLocked(TryLock& lock) : lock_(lock), locked_(lock.try_lock()) {}
  TryLocked(const TryLocked&) = delete;
  TryLocked& operator=(const TryLocked&) = delete;
  ~TryLocked() {
    if (locked_) lock_.unlock();
  }
  explicit operator bool() const { return locked_; }

 private:
  TryLock& lock_;
  bool locked_;
};

}  // namespace mini::alloc
