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

}  // namespace

void Output::end_record() {
  if (flush_ == Flush::kEachRecord || buffer_.size() >= kBatchBytes) {
    flush();
  } else if (const auto now = now_ns(); now - flushed_at_ns_ >= kBatchNs) {
    flush();
    flushed_at_ns_ = now;
  }
}

// Waits where the descriptor is non-blocking, as a terminal shared with another program may be.
void Output::flush() {
  std::string_view rest = error_number_ == 0 ? buffer_ : std::string_view();
  while (!rest.empty() && (must_not_wait_ == nullptr || !must_not_wait_())) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      error_number_ = written == 0 ? EIO : errno;
      rest = {};
    }
  }
  buffer_.erase(0, buffer_.size() - rest.size());
}

}  // namespace mini::views
