// Owns a file descriptor; and closes those that nobody owns.
#pragma once

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace mini::kernel {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Closes those of the process from `first` to `last`. By system calls only, as after a fork.
inline void close_descriptors(int first, int last) {
  if (first > last) return;
  if (::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0) return;
  // Before Linux 5.9, or forbidden.
  const int most = static_cast<int>(std::min<long>(last, ::sysconf(_SC_OPEN_MAX)));
  for (int number = first; number <= most; ++number) ::close(number);
}

}  // namespace mini::kernel
