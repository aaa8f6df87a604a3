// A word in shared memory that says whether the thread lives that set it: the kernel marks it when
// the thread dies, in whatever way, as it does the robust futexes of set_robust_list(2). Whoever
// wants to know reads memory, and makes no system call that a sandbox could forbid.
#pragma once

#include <atomic>
#include <cstdint>
#include <linux/futex.h>

namespace mini::kernel {

/// The calling thread's, from here to the end of this object. One in a thread, and that thread has
/// no robust mutexes of its own.
class LifeSign {
 public:
  /// `thread` gets the thread's number; FUTEX_OWNER_DIED when that has died, and 0 at the end.
  /// `link` is near it, for the kernel, which trusts it no more than any other pointer. REQUIRES:
  /// both are there as long as this.
  LifeSign(std::uint64_t& link, std::atomic<std::uint32_t>& thread);
  LifeSign(const LifeSign&) = delete;
  LifeSign& operator=(const LifeSign&) = delete;
  ~LifeSign();

 private:
  std::atomic<std::uint32_t>& thread_;
  robust_list_head list_{};
};

}  // namespace mini::kernel
