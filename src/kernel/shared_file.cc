#include "kernel/shared_file.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"

namespace mini::kernel {

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMapping::~SharedMapping() {
  if (begin_ != nullptr) ::munmap(begin_, bytes_);
}

void SharedMapping::hide_from_children() const {
  ::madvise(begin_, bytes_, MADV_DONTFORK);
}

Result<SharedFile> SharedFile::create(const char* name, std::size_t bytes) {
  // Beyond the limit the kernel sends SIGXFSZ.
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes) {
    return fail(
        "cannot make shared memory, since the size of files is limited: type 'ulimit -f "
        "unlimited' first",
        EFBIG);
  }
  // Who has it mapped would get SIGBUS where another one cut it.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  FileDescriptor descriptor(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!descriptor || ::ftruncate(descriptor.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(descriptor.get(), F_ADD_SEALS, kSeals) != 0) {
    return fail(fmt::format("cannot make shared memory: {}", std::strerror(errno)), errno);
  }
  return SharedFile(std::move(descriptor));
}

Result<SharedMapping> SharedFile::map(std::size_t offset, std::size_t bytes) const {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                          descriptor_.get(), static_cast<off_t>(offset));
  if (at == MAP_FAILED) {
    return fail(fmt::format("cannot map shared memory: {}", std::strerror(errno)), errno);
  }
  ::madvise(at, bytes, MADV_DONTFORK);
  return SharedMapping(static_cast<std::byte*>(at), bytes);
}

std::string SharedFile::path() const {
  return path_in(::getpid());
}

bool SharedFile::is_mapped_by(pid_t pid) const {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return false;
  const auto maps = read_maps(pid);
  return maps && std::ranges::any_of(*maps, [&](const MapsEntry& entry) {
           return entry.device == status.st_dev && entry.inode == status.st_ino;
         });
}

std::string SharedFile::path_in(pid_t pid) const {
  return descriptor_path(pid, descriptor_.get());
}

void SharedFile::discard(std::size_t offset, std::size_t bytes) const {
  ::fallocate(descriptor_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

void wait_for_change(std::uint32_t* word, std::uint32_t expected, std::uint64_t most_ns) {
  const timespec most = timespec_of(most_ns);
  ::syscall(SYS_futex, word, FUTEX_WAIT, expected, &most, nullptr, 0);
}

void wake_waiter(std::uint32_t* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void wake_waiters(std::uint32_t* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

ProcessHandle::ProcessHandle(pid_t pid)
    : descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
      number_(descriptor_ || errno == ESRCH || pid <= 0 ? 0 : pid) {}

bool ProcessHandle::has_ended() const {
  if (!descriptor_) return number_ == 0 || (::kill(number_, 0) != 0 && errno == ESRCH);
  pollfd ended{.fd = descriptor_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, 0) > 0;
}

}  // namespace mini::kernel
