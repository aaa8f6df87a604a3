// Writing into another process, read-only pages included: they become private copies, as for a
// debugger's breakpoints.
#pragma once

#include <cstddef>
#include <span>
#include <sys/types.h>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

class MemoryWriter {
 public:
  explicit MemoryWriter(pid_t pid);

  /// All or nothing, as far as can be told. By /proc/PID/mem; by ptrace through `stopped_thread`
  /// where the kernel lets only tracers write what is read-only (proc_mem.force_override).
  /// REQUIRES: that thread is stopped by us.
  bool write(Address to, std::span<const std::byte> bytes, pid_t stopped_thread) const;

 private:
  FileDescriptor file_;
};

}  // namespace mini::kernel
