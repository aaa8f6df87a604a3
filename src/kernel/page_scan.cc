// Documentation/admin-guide/mm/pagemap.rst of the kernel, and linux/fs.h of Linux 6.7.
#include "kernel/page_scan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/types.h>
#include <span>
#include <sys/ioctl.h>

#include "kernel/present_pages.h"

namespace mini::kernel {
namespace {

struct PageRegion {
  __u64 start;
  __u64 end;
  __u64 categories;
};
struct ScanArguments {
  __u64 size = sizeof(ScanArguments);
  __u64 flags = 0;
  __u64 start = 0;
  __u64 end = 0;
  __u64 walk_end = 0;
  __u64 vec = 0;
  __u64 vec_len = 0;
  __u64 max_pages = 0;
  __u64 category_inverted = 0;
  __u64 category_mask = 0;
  __u64 category_anyof_mask = 0;
  __u64 return_mask = 0;
};
static_assert(sizeof(ScanArguments) == 96);
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr __u64 kPagePresent = 1U << 3;
constexpr __u64 kPageSwapped = 1U << 4;
constexpr __u64 kPageIsZero = 1U << 5;
constexpr __u64 kPageIsHuge = 1U << 6;

// Where programs' addresses end with four levels of page tables, less the page that is never used;
// mappings above are made only for who asks for them
// (Documentation/arch/x86/x86_64/5level-paging.rst).
constexpr AddressRange kAllAddresses{Address{0}, Address{0x7fff'ffff'f000}};

void append(const PageRegion& region, std::vector<PageRun>& runs) {
  PageRun run{.range = {Address{region.start}, Address{region.end}}};
  run.present = (region.categories & (kPagePresent | kPageIsZero)) == kPagePresent;
  run.swapped = (region.categories & kPageSwapped) != 0;
  run.huge = run.present && (region.categories & kPageIsHuge) != 0;
  if (!run.present && !run.swapped) return;
  PageRun* const last = runs.empty() ? nullptr : &runs.back();
  const bool goes_on = last != nullptr && last->range.end == run.range.begin &&
                       last->present == run.present && last->swapped == run.swapped &&
                       last->huge == run.huge;
  if (goes_on) {
    last->range.end = run.range.end;
  } else {
    runs.push_back(run);
  }
}

}  // namespace

std::vector<AddressRange> ranges_of(std::span<const PageRun> runs) {
  std::vector<AddressRange> ranges;
  for (const PageRun& run : runs) append_run(run.range, ranges);
  return ranges;
}

PageScan::PageScan(pid_t pid)
    : file_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

std::optional<std::vector<PageRun>> PageScan::read(AddressRange range) const {
  std::array<PageRegion, 1024> found{};
  std::vector<PageRun> runs;
  ScanArguments arguments;
  arguments.start = range.begin.value;
  arguments.end = range.end.value;
  arguments.vec = reinterpret_cast<std::uintptr_t>(found.data());
  arguments.vec_len = found.size();
  arguments.category_anyof_mask = kPagePresent | kPageSwapped;
  arguments.return_mask = kPagePresent | kPageSwapped | kPageIsZero | kPageIsHuge;
  while (arguments.start < range.end.value) {
    const int count = ::ioctl(file_.get(), kPagemapScan, &arguments);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    const std::span regions(found.begin(), static_cast<std::size_t>(count));
    for (const PageRegion& region : regions) append(region, runs);
    // Where there was room for more, there is no more: walk_end is then where the kernel's own
    // buffer was full the last time (fs/proc/task_mmu.c, do_pagemap_scan(), 6.7 to 6.18), and what
    // is behind it would come twice.
    if (regions.size() < found.size()) break;
    arguments.start = std::max(arguments.walk_end, regions.back().end);
  }
  return runs;
}

std::optional<std::vector<PageRun>> PageScan::read_all() const {
  return read(kAllAddresses);
}

}  // namespace mini::kernel
