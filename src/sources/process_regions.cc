#include "sources/process_regions.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "kernel/page_scan.h"
#include "kernel/present_pages.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_smaps.h"
#include "sources/heap_inspector.h"
#include "sources/program_image.h"
#include "sources/refusal.h"

namespace mini::sources {
namespace {

using model::Inspection;
using model::MemoryRegion;

std::unexpected<Error> refused(pid_t pid, int error) {
  return fail(fmt::format("cannot read process {}: {}", pid, explain_refusal(pid, error, false)),
              error);
}

/// Whether page tables show more in a mapping than the kernel counts as resident: devices' memory,
/// pages of hugetlbfs.
bool counts_otherwise(const MemoryRegion& region, bool huge) {
  const std::string& path = region.mapping.path;
  if (path.starts_with("/dev/shm/") || path.starts_with("/dev/zero")) return false;
  return path.starts_with("/dev/") || path.starts_with("anon_inode:") ||
         path.starts_with("socket:") || (huge && path.starts_with('/'));
}

/// False where only smaps can tell.
bool take_scan(const std::vector<kernel::PageRun>& runs, Inspection& inspection) {
  auto run = runs.begin();
  for (MemoryRegion& region : inspection.regions) {
    const AddressRange& range = region.mapping.range;
    if (region.mapping.path.starts_with("[vvar")) continue;  // is in no figure of the kernel's
    while (run != runs.end() && run->range.end <= range.begin) ++run;
    for (auto in = run; in != runs.end() && in->range.begin < range.end; ++in) {
      if (counts_otherwise(region, in->huge)) return false;
      const Bytes size =
          std::min(in->range.end, range.end) - std::max(in->range.begin, range.begin);
      if (in->present) region.resident += size;
      if (in->swapped) region.swapped += size;
      if (in->huge) region.huge += size;
    }
  }
  return true;
}

void take_heap_pages(const std::vector<kernel::PageRun>& runs, const Inspection& inspection,
                     Residency& out) {
  auto run = runs.begin();
  for (const AddressRange& range : heap_candidates(inspection)) {
    while (run != runs.end() && run->range.end <= range.begin) ++run;
    for (auto in = run; in != runs.end() && in->range.begin < range.end; ++in) {
      const AddressRange part{std::max(in->range.begin, range.begin),
                              std::min(in->range.end, range.end)};
      if (in->present) kernel::append_run(part, out.heap_pages);
      kernel::append_run(part, out.readable_heap_pages);
    }
  }
}

}  // namespace

Result<void> read_regions(pid_t pid, Inspection& inspection) {
  inspection.regions.clear();
  inspection.mapped = Bytes{};
  const auto entries = kernel::read_maps(pid);
  if (!entries) return refused(pid, entries.error().error_number);
  for (const kernel::MapsEntry& entry : *entries) {
    if (entry.path == "[vsyscall]") continue;  // is in no process's address space
    inspection.regions.push_back({.mapping = to_mapping(entry)});
    inspection.mapped += entry.range.size();
  }
  return {};
}

Result<Residency> read_residency(pid_t pid, Inspection& inspection) {
  Residency residency;
  const auto runs = kernel::PageScan(pid).read_all();
  if (runs) take_heap_pages(*runs, inspection, residency);
  if (runs && take_scan(*runs, inspection)) return residency;
  const auto entries = kernel::read_smaps(pid);
  if (!entries) return refused(pid, entries.error().error_number);
  auto region = inspection.regions.begin();
  for (const kernel::SmapsEntry& entry : *entries) {
    while (region != inspection.regions.end() &&
           region->mapping.range.begin < entry.mapping.range.begin) {
      ++region;
    }
    if (region == inspection.regions.end()) break;
    if (region->mapping.range != entry.mapping.range) continue;
    region->resident = entry.resident;
    region->swapped = entry.swapped;
    region->huge = entry.huge;
  }
  if (runs) return residency;
  const kernel::PresentPages pages(pid);
  for (const AddressRange& range : heap_candidates(inspection)) {
    pages.append(range, residency.heap_pages);
  }
  residency.readable_heap_pages = residency.heap_pages;
  return residency;
}

void read_figures(pid_t pid, Inspection& inspection) {
  const auto figures = kernel::read_resident_figures(pid);
  if (!figures) return;
  inspection.resident = figures->resident;
  inspection.mapped = figures->mapped;
  inspection.swapped = figures->swapped;
  inspection.page_tables = figures->page_tables;
  inspection.pool_pages = figures->pool_pages;
}

std::optional<std::vector<AddressRange>> written_parts(pid_t pid, const Inspection& inspection) {
  if (const auto runs = kernel::PageScan(pid).read_all()) return kernel::ranges_of(*runs);
  if (inspection.swapped != Bytes{}) return std::nullopt;
  kernel::PresentPages pages(pid);
  std::vector<AddressRange> runs;
  for (const model::MemoryRegion& region : inspection.regions) {
    if (region.mapping.protection.write && !region.mapping.shared) {
      pages.append(region.mapping.range, runs);
    }
  }
  return runs;
}

}  // namespace mini::sources
