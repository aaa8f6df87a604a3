// A child in our process group that gets what is sent to the whole group, as by `kill -TERM -PGID`
// or a shell's `kill %1`: siginfo says the same of that as of what is sent to us alone.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "kernel/file_descriptor.h"

namespace mini::kernel {

class GroupWitness {
 public:
  /// nullopt where it cannot be had.
  static std::optional<GroupWitness> start();
  GroupWitness(GroupWitness&& other) noexcept;
  GroupWitness& operator=(GroupWitness&& other) noexcept;
  ~GroupWitness();

  /// For the handler of a signal, and to be asked in each: whether the group got it too. False
  /// where the witness is not there any more. Async-signal-safe, and not to be interrupted by
  /// another handler that asks.
  bool saw(int signal);

 private:
  GroupWitness(pid_t child, FileDescriptor socket);

  pid_t child_ = 0;
  FileDescriptor socket_;
  std::uint64_t seen_ = 0;  // bits of signals that nobody has asked for yet
};

}  // namespace mini::kernel
