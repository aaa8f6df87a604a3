// The memory of a live process, read from outside.
#pragma once

#include <sys/types.h>

#include "base/memory_reader.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// By process_vm_readv; by /proc/PID/mem where that is forbidden or absent (some containers).
/// Follows the process through execve. Not thread-safe.
class ProcessMemory final : public MemoryReader {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}

  std::size_t read(Address from, std::span<std::byte> out) const override;

  /// To be called after execve: the files of /proc/PID stay with the old address space.
  void reopen();

  /// From now on by the number of this thread of the process: by that of one that has ended nothing
  /// can be read.
  void look_by(pid_t tid);

  /// From now on only pages that are there are read. For a process with a userfaultfd: what is not
  /// there may have to be provided by a thread of its own that waits for us, and we for it.
  void read_present_pages_only() { present_only_ = true; }
  bool reads_present_pages_only() const { return present_only_; }

 private:
  std::size_t present_bytes(Address from, std::size_t size) const;
  std::size_t read_file(Address from, std::span<std::byte> out) const;

  pid_t pid_;
  mutable bool use_file_ = false;
  mutable FileDescriptor file_;
  bool present_only_ = false;
  mutable FileDescriptor page_map_;
};

}  // namespace mini::kernel
