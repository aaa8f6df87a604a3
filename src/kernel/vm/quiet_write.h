// A write whose failure brings no signal: a message must not end the program that it is about.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <sys/syscall.h>

#include "kernel/vm/raw_syscall.h"

namespace mini::kernel::vm {

namespace detail {

// The kernel's set of signals, which is shorter than the C library's.
constexpr std::uint64_t signal_bit(int number) {
  return std::uint64_t{1} << (number - 1);
}
inline constexpr std::uint64_t kWriteSignals = signal_bit(SIGPIPE) | signal_bit(SIGXFSZ);
inline constexpr std::size_t kSetBytes = sizeof(std::uint64_t);

}  // namespace detail

/// What write() does and returns; -errno where it failed. SIGPIPE and SIGXFSZ of this write do not
/// come; one that was waiting already stays. Leaves errno alone.
inline long write_quietly(int fd, const char* text, std::size_t length) {
  using detail::kSetBytes;
  using detail::kWriteSignals;
  std::uint64_t blocked = 0;
  std::uint64_t waiting = 0;
  const bool is_quiet =
      raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, &kWriteSignals, &blocked, kSetBytes) == 0;
  // Only what was blocked can wait. Sandboxes permit fewer programs to ask for it.
  if ((blocked & kWriteSignals) != 0) raw_syscall(SYS_rt_sigpending, &waiting, kSetBytes);
  const long count = raw_syscall(SYS_write, fd, text, length);
  if (!is_quiet) return count;
  const int brought = count == -EPIPE ? SIGPIPE : count == -EFBIG ? SIGXFSZ : 0;
  if (brought != 0 && (waiting & detail::signal_bit(brought)) == 0) {
    const std::uint64_t set = detail::signal_bit(brought);
    const timespec at_once{};
    raw_syscall(SYS_rt_sigtimedwait, &set, nullptr, &at_once, kSetBytes);
  }
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, nullptr, kSetBytes);
  return count;
}

}  // namespace mini::kernel::vm
