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
  Bytes break_bytes;    // the [heap] region; 0 where there is none
  Bytes proportional;   // PSS: pages shared with others counted by their part; 0: not asked now
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
};

/// From /proc/PID/status: false where the process has no memory any more, or the text is no such.
bool parse_memory_status(std::string_view text, MemoryReading* out);
/// Fields 10 and 12 of /proc/PID/stat. False where they are not there.
bool parse_faults(std::string_view stat_text, MemoryReading* out);

/// Field 2 of /proc/PID/statm, in bytes; 0 where the text is no such.
Bytes parse_resident(std::string_view statm_text);

/// The size of the [heap] region in the first lines of /proc/PID/maps. The kernel lists mappings by
/// address, and the break begins behind the program itself, so it is among the first.
Bytes parse_break(std::string_view maps_text);
/// From /proc/PID/smaps_rollup; 0 where the text is no such.
Bytes parse_proportional(std::string_view rollup_text);

/// Keeps files open: it is of the program that the process is when they are opened.
class MemoryGauge {
 public:
  explicit MemoryGauge(pid_t pid) : pid_(pid), thread_(pid) { open(); }
  /// nullopt where the process has ended or became another program. The proportional size is asked
  /// now and then only: the kernel walks all page tables for it, and so that takes 1/400 of the
  /// time at most.
  std::optional<MemoryReading> read();
  /// The resident bytes alone, at a small part of the price; 0 where the process has ended.
  Bytes resident() const;

 private:
  void open();
  std::optional<MemoryReading> read_now();

  pid_t pid_;
  pid_t thread_;  // by which it is looked at: the main one as long as that runs
  FileDescriptor status_;
  FileDescriptor stat_;
  FileDescriptor statm_;
  FileDescriptor maps_;
  FileDescriptor rollup_;
  std::size_t maps_bytes_ = 1024;  // read of maps_: the kernel makes its text anew each time
  std::uint64_t next_rollup_ns_ = 0;
};

}  // namespace mini::kernel
