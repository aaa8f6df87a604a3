// Which pages of a process have memory, page by page.
#pragma once

#include <sys/types.h>
#include <vector>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// Appends a run of pages to those before it; where they touch, they become one.
void append_run(AddressRange run, std::vector<AddressRange>& runs);

/// By /proc/PID/pagemap: for kernels that have no PageScan, and for one mapping at a time.
class PresentPages {
 public:
  explicit PresentPages(pid_t pid);

  /// Appends the runs of `range` that are in memory, in order; neighbours are merged. The page of
  /// zeros that stands for memory which was read and never written counts here, though not in the
  /// kernel's RSS. REQUIRES: range is made of whole pages.
  void append(AddressRange range, std::vector<AddressRange>& runs) const;

 private:
  FileDescriptor file_;
};

}  // namespace mini::kernel
