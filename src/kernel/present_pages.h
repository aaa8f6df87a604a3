// Which pages of a process have memory, page by page.
#pragma once

#include <sys/types.h>
#include <vector>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// By the PAGEMAP_SCAN ioctl (Linux 6.7) or, where the kernel lacks it, by /proc/PID/pagemap.
class PresentPages {
 public:
  explicit PresentPages(pid_t pid);

  /// Appends the runs of `range` that are in memory, in order; neighbours are merged. The page of
  /// zeros that stands for memory which was read and never written does not count, nor does it in
  /// the kernel's RSS. Only pagemap, which cannot tell it, counts it. REQUIRES: range is made of
  /// whole pages.
  void append(AddressRange range, std::vector<AddressRange>& runs);

 private:
  bool append_by_scan(AddressRange range, std::vector<AddressRange>& runs);
  void append_by_entries(AddressRange range, std::vector<AddressRange>& runs) const;

  FileDescriptor file_;
  bool has_scan_ = true;
};

}  // namespace mini::kernel
