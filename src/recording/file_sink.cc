// Short writes, interruptions, full disks.
#include "recording/file_sink.h"

#include <cerrno>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace mini::recording {

FileSink::~FileSink() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileSink::fail_with(int error_number) {
  const std::string reason = std::generic_category().message(error_number);
  std::string advice = written_bytes_ == 0 ? "" : "; what it has so far can be reported";
  if (error_number == ENOSPC || error_number == EDQUOT) {
    advice = "; make room or choose another place for it with -o" + advice;
  }
  state_ = fail("the recording cannot be written: " + reason + advice, error_number);
}

void FileSink::write(ByteSpan bytes) {
  while (state_ && !bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count >= 0) {
      written_bytes_ += static_cast<std::uint64_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait_for_reader();
    } else if (errno != EINTR) {
      fail_with(errno);
    }
  }
}

void FileSink::wait_for_reader() {
  constexpr int kMostMilliseconds = 2000;  // that one is given that is slow
  pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  const bool is_stuck = ::poll(&ready, 1, kMostMilliseconds) == 0;
  if (!is_stuck || gives_up_ == nullptr || !gives_up_()) return;
  state_ = fail("the recording was given up: the end was asked for, and who reads it takes nothing",
                ETIMEDOUT);
}

Result<void> FileSink::close() {
  const int result = descriptor_ >= 0 ? ::close(descriptor_) : 0;
  descriptor_ = -1;
  // Interrupted or not, Linux has closed it.
  if (result != 0 && errno != EINTR && state_) fail_with(errno);
  return state_;
}

}  // namespace mini::recording
