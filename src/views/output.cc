#include "views/output.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

namespace mini::views {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::uint64_t kBatchNs = 100'000'000;
constexpr std::size_t kMostKept = 1 << 20;
constexpr std::uint64_t kNsPerMs = 1'000'000;

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

// A write of PIPE_BUF bytes to a pipe that has room waits for nobody.
void Output::flush() {
  std::string_view rest = error_number_ == 0 ? buffer_ : std::string_view();
  while (!rest.empty() && await_room(rest.size())) {
    const bool may_wait = most_wait_ns() == kForever;
    const std::size_t size = may_wait ? rest.size() : std::min<std::size_t>(rest.size(), PIPE_BUF);
    const ssize_t written = ::write(fd_, rest.data(), size);
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || (errno != EINTR && errno != EAGAIN)) {
      error_number_ = written == 0 ? EIO : errno;
      rest = {};
    } else if (!may_wait) {
      break;
    } else if (errno == EAGAIN) {  // non-blocking, as a terminal shared with another program may be
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    }
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  if (buffer_.size() <= kMostKept / 2) is_stalled_ = false;
}

/// Whether to write now: there is room, or the write may wait for it.
bool Output::await_room(std::size_t kept_bytes) {
  const std::uint64_t begin_ns = monotonic_ns();
  for (;;) {
    const std::uint64_t most_ns = most_wait_ns();
    if (most_ns == kForever) return true;
    const std::uint64_t waited_ns = monotonic_ns() - begin_ns;
    const bool is_much = kept_bytes > kMostKept;
    const bool waits = is_much && !is_stalled_ && waited_ns < most_ns;
    const std::uint64_t left_ms = waits ? (most_ns - waited_ns) / kNsPerMs + 1 : 0;
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, static_cast<int>(std::min<std::uint64_t>(left_ms, INT_MAX))) > 0) {
      return true;
    }
    if (waits) continue;
    is_stalled_ = is_stalled_ || is_much;
    return false;
  }
}

}  // namespace mini::views
