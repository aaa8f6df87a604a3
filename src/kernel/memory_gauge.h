// What the kernel holds for a process, read so cheaply that it can be read a hundred times a
// second.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <sys/types.h>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

struct MemoryReading {
  Bytes resident;       // VmRSS
  Bytes peak_resident;  // VmHWM
  Bytes mapped;         // VmSize
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
};

/// From /proc/PID/status: false where the process has no memory any more, or the text is no such.
bool parse_memory_status(std::string_view text, MemoryReading* out);
/// Fields 10 and 12 of /proc/PID/stat. False where they are not there.
bool parse_faults(std::string_view stat_text, MemoryReading* out);

/// Keeps two files open. After execve they are those of the old program.
class MemoryGauge {
 public:
  explicit MemoryGauge(pid_t pid);
  /// nullopt where the process has ended.
  std::optional<MemoryReading> read() const;

 private:
  FileDescriptor status_;
  FileDescriptor stat_;
};

}  // namespace mini::kernel
