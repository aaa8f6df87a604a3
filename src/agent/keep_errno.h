// errno, which the program must find as it left it.
#pragma once

#include <cerrno>

namespace mini::agent {

/// What asks a C library's function must leave errno as it was.
class KeepErrno {
 public:
  KeepErrno() = default;
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;
  ~KeepErrno() { errno = saved_; }

 private:
  int saved_ = errno;
};

}  // namespace mini::agent
