// Documentation/admin-guide/mm/pagemap.rst of the kernel.
#include "kernel/present_pages.h"

#include <array>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "kernel/proc_status.h"

namespace mini::kernel {

void append_run(AddressRange run, std::vector<AddressRange>& runs) {
  if (!runs.empty() && runs.back().end == run.begin) {
    runs.back().end = run.end;
  } else {
    runs.push_back(run);
  }
}

PresentPages::PresentPages(pid_t pid)
    : file_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

void PresentPages::append(AddressRange range, std::vector<AddressRange>& runs) const {
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
