// Documentation/admin-guide/mm/pagemap.rst of the kernel.
#include "kernel/present_pages.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/types.h>
#include <sys/ioctl.h>

#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

// linux/fs.h of Linux 6.7.
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
constexpr __u64 kPageIsZero = 1U << 5;

void append_run(AddressRange run, std::vector<AddressRange>& runs) {
  if (!runs.empty() && runs.back().end == run.begin) {
    runs.back().end = run.end;
  } else {
    runs.push_back(run);
  }
}

}  // namespace

PresentPages::PresentPages(pid_t pid)
    : file_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

void PresentPages::append(AddressRange range, std::vector<AddressRange>& runs) {
  if (has_scan_ && append_by_scan(range, runs)) return;
  append_by_entries(range, runs);
}

bool PresentPages::append_by_scan(AddressRange range, std::vector<AddressRange>& runs) {
  std::array<PageRegion, 1024> found{};
  ScanArguments arguments;
  arguments.start = range.begin.value;
  arguments.end = range.end.value;
  arguments.vec = reinterpret_cast<std::uintptr_t>(found.data());
  arguments.vec_len = found.size();
  // Present, and not the page of zeros: the second is asked for by its opposite.
  arguments.category_mask = kPagePresent | kPageIsZero;
  arguments.category_inverted = kPageIsZero;
  arguments.return_mask = kPagePresent;
  while (arguments.start < range.end.value) {
    const int count = ::ioctl(file_.get(), kPagemapScan, &arguments);
    if (count < 0) {
      has_scan_ = errno != ENOTTY && errno != EINVAL;
      return arguments.start != range.begin.value || has_scan_;
    }
    for (int i = 0; i < count; ++i) {
      const PageRegion& region = found.at(static_cast<std::size_t>(i));
      append_run({Address{region.start}, Address{region.end}}, runs);
    }
    if (arguments.walk_end <= arguments.start) break;
    arguments.start = arguments.walk_end;
  }
  return true;
}

void PresentPages::append_by_entries(AddressRange range, std::vector<AddressRange>& runs) const {
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
  const Bytes page = page_size();
  std::array<std::uint64_t, 4096> entries{};
  for (Address at = range.begin; at < range.end;) {
    const std::uint64_t pages = std::min<std::uint64_t>((range.end - at).count / page.count, 4096);
    const auto offset = static_cast<off_t>(at.value / page.count * sizeof entries[0]);
    const ssize_t size = ::pread(file_.get(), entries.data(), pages * sizeof entries[0], offset);
    if (size <= 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(size) / sizeof entries[0]; ++i) {
      if ((entries.at(i) & kPresent) != 0) append_run({at, at + page}, runs);
      at = at + page;
    }
  }
}

}  // namespace mini::kernel
