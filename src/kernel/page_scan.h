// What the kernel has behind each page of a process, all of it in one sweep of its page tables: in
// memory, swapped out, part of a huge page.
#pragma once

#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// Pages that follow each other and are alike.
struct PageRun {
  AddressRange range;
  bool present = false;  // counts in the kernel's RSS: the shared page of zeros does not
  bool swapped = false;
  bool huge = false;
};

/// Where runs in order of address are, whatever is there; those that touch are one.
std::vector<AddressRange> ranges_of(std::span<const PageRun> runs);

/// By the PAGEMAP_SCAN ioctl of Linux 6.7.
class PageScan {
 public:
  explicit PageScan(pid_t pid);

  /// Pages of `range` that are present or swapped out, by address. nullopt where the kernel has no
  /// such call. REQUIRES: range is made of whole pages.
  std::optional<std::vector<PageRun>> read(AddressRange range) const;
  /// The same of all addresses that a process can have.
  std::optional<std::vector<PageRun>> read_all() const;

 private:
  FileDescriptor file_;
};

}  // namespace mini::kernel
