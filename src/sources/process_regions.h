// The regions of a process's memory, as the kernel shows them, and what of them is in RAM.
#pragma once

#include <optional>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/inspection.h"

namespace mini::sources {

/// All mappings anew, and their sizes.
Result<void> read_regions(pid_t pid, model::Inspection& inspection);

/// What of each mapping has memory, and the pages of heaps that have.
struct Residency {
  std::vector<AddressRange> heap_pages;
  std::vector<AddressRange> readable_heap_pages;  // with those that are swapped out
};

/// By page tables, in a millisecond; by smaps and pagemap, in up to a hundred, where the kernel is
/// older than 6.7 or has mappings that only smaps tells right.
Result<Residency> read_residency(pid_t pid, model::Inspection& inspection);

/// The kernel's own figures of the whole process; none where it has just ended.
void read_figures(pid_t pid, model::Inspection& inspection);

/// What of the writable memory can hold pointers; nullopt where that cannot be found out.
std::optional<std::vector<AddressRange>> written_parts(pid_t pid,
                                                       const model::Inspection& inspection);

}  // namespace mini::sources
