// The time of records: a counter of the processor that all cores share, read in a few nanoseconds
// without a system call. What a tick is in nanoseconds the recorder finds out.
#pragma once

#include <cstdint>

namespace mini::wire {

#if defined(__x86_64__)
/// Ordered after the loads before it: what was seen of another thread has an earlier time.
inline std::uint64_t now_ticks() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  // lfence waits for all earlier loads (Intel SDM 2A; AMD APM 2, as Linux sets these processors
  // up). rdtscp would do so too, but some virtual machines do not tell of it, and valgrind goes by
  // that.
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return std::uint64_t{high} << 32 | low;
}
/// Ordered before the loads after it: what they see includes all that has an earlier time and was
/// seen by anybody then.
inline std::uint64_t now_ticks_before_loads() {
  const std::uint64_t ticks = now_ticks();
  asm volatile("lfence" ::: "memory");  // no later load begins before (Intel SDM 2B, RDTSC)
  return ticks;
}
#elif defined(__aarch64__)
inline std::uint64_t now_ticks() {
  std::uint64_t ticks = 0;
  asm volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
  return ticks;
}
inline std::uint64_t now_ticks_before_loads() {
  const std::uint64_t ticks = now_ticks();
  asm volatile("isb; dmb ish" ::: "memory");
  return ticks;
}
#endif

}  // namespace mini::wire
