// Reads another process. Both system calls copy page by page and stop at the first unreadable
// one, so one call tells how far memory is readable.
#include "kernel/process_memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits>
#include <sys/uio.h>

#include "kernel/proc_status.h"

namespace mini::kernel {

std::size_t ProcessMemory::read(Address from, std::span<std::byte> out) const {
  if (present_only_) out = out.first(present_bytes(from, out.size()));
  if (out.empty()) return 0;
  if (!use_file_) {
    iovec local{out.data(), out.size()};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
    iovec remote{reinterpret_cast<void*>(from.value), out.size()};
    const ssize_t count = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EPERM && errno != ENOSYS) return 0;
    use_file_ = true;
  }
  return read_file(from, out);
}

std::size_t ProcessMemory::read_file(Address from, std::span<std::byte> out) const {
  if (from.value > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return 0;
  if (!file_) {
    file_ = FileDescriptor(::open(fmt::format("/proc/{}/mem", pid_).c_str(), O_RDONLY | O_CLOEXEC));
  }
  const auto offset = static_cast<off_t>(from.value);
  const ssize_t count = ::pread(file_.get(), out.data(), out.size(), offset);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

void ProcessMemory::reopen() {
  file_ = {};
  page_map_ = {};
  present_only_ = false;
}

void ProcessMemory::look_by(pid_t tid) {
  pid_ = tid;
  file_ = {};
  page_map_ = {};
}

// /proc/PID/pagemap has 64 bits a page; the kernel's Documentation/admin-guide/mm/pagemap.rst.
std::size_t ProcessMemory::present_bytes(Address from, std::size_t size) const {
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
  constexpr std::uint64_t kSwapped = std::uint64_t{1} << 62;
  const std::uint64_t page = page_size().count;
  if (!page_map_) {
    page_map_ =
        FileDescriptor(::open(fmt::format("/proc/{}/pagemap", pid_).c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::size_t done = 0;
  std::array<std::uint64_t, 64> entries{};
  while (done < size) {
    const std::uint64_t first = (from.value + done) / page;
    const std::uint64_t wanted = (from.value % page + size + page - 1) / page;
    const std::size_t left = std::min<std::uint64_t>(wanted - (first - from.value / page), 64);
    const ssize_t count = ::pread(page_map_.get(), entries.data(), left * sizeof entries[0],
                                  static_cast<off_t>(first * sizeof entries[0]));
    if (count <= 0) break;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) / sizeof entries[0]; ++i) {
      if ((entries.at(i) & (kPresent | kSwapped)) == 0) return std::min(done, size);
      done += page - (from.value + done) % page;
    }
  }
  return std::min(done, size);
}

}  // namespace mini::kernel
