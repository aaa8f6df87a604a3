#include "views/output.h"

#include <cerrno>
#include <ctime>
#include <poll.h>
#include <unistd.h>

namespace mini::views {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::uint64_t kBatchNs = 100'000'000;

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Writes all of `text`; 0 or an errno. Waits where the descriptor is non-blocking, as a terminal
/// shared with another program may be.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return errno;
    } else if (written == 0) {
      return EIO;
    }
  }
  return 0;
}

}  // namespace

void Output::end_record() {
  if (flush_ == Flush::kEachRecord || buffer_.size() >= kBatchBytes) {
    flush();
  } else if (const auto now = now_ns(); now - flushed_at_ns_ >= kBatchNs) {
    flush();
    flushed_at_ns_ = now;
  }
}

void Output::flush() {
  if (error_number_ == 0) error_number_ = write_all(fd_, buffer_);
  buffer_.clear();
}

}  // namespace mini::views
