// The clock that measures how long something takes, the one that says what time it is, and sleep.
#pragma once

#include <cstdint>
#include <ctime>

namespace mini {

/// Nanoseconds of a clock that never goes back, from some moment on. No system call.
inline std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Nanoseconds since 1970, as the machine's clock is set.
inline std::uint64_t unix_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

constexpr timespec timespec_of(std::uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000U), static_cast<long>(ns % 1'000'000'000U)};
}

/// For so long, or until a signal comes.
inline void sleep_ns(std::uint64_t ns) {
  const timespec time = timespec_of(ns);
  ::nanosleep(&time, nullptr);
}

}  // namespace mini
