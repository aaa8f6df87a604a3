// Each read opens anew: a file of /proc is a snapshot of the moment it is read.
#include "kernel/proc_file.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unordered_set>

#include "kernel/file_descriptor.h"
#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kLongestFileBytes = std::size_t{1} << 30;
constexpr std::size_t kReadBytes = 64 * 1024;

std::vector<int> read_numeric_names(const std::string& folder) {
  std::vector<int> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (!directory) return numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc{} && end == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

std::vector<int> read_numeric_names(pid_t pid, std::string_view folder) {
  return read_numeric_names(fmt::format("/proc/{}/{}", pid, folder));
}

/// 0 where it cannot be found out.
std::uint64_t pid_namespace_of(pid_t pid) {
  struct stat status{};
  return ::stat(fmt::format("/proc/{}/ns/pid", pid).c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Result<std::string> read_proc_file(pid_t pid, std::string_view name) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)), errno);
  std::string text;
  std::size_t size = 0;
  while (size < kLongestFileBytes) {
    if (text.size() < size + kReadBytes) text.resize(std::max(2 * text.size(), kReadBytes));
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)), errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return text;
}

std::optional<std::string> read_proc_link(pid_t pid, std::string_view name) {
  std::array<char, 4096> linked{};
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const ssize_t length = ::readlink(path.c_str(), linked.data(), linked.size());
  if (length <= 0) return std::nullopt;
  return std::string(linked.data(), static_cast<std::size_t>(length));
}

std::string descriptor_path(pid_t pid, int fd) {
  return fmt::format("/proc/{}/fd/{}", pid, fd);
}

std::optional<OpenFile> read_open_file(pid_t pid, int fd) {
  const std::string name = fmt::format("fd/{}", fd);
  auto path = read_proc_link(pid, name);
  if (!path) return std::nullopt;
  OpenFile file;
  file.path = std::move(*path);
  struct stat status{};
  if (::stat(fmt::format("/proc/{}/{}", pid, name).c_str(), &status) == 0) {
    file.device = status.st_dev;
    file.inode = status.st_ino;
    file.regular = S_ISREG(status.st_mode);
  }
  return file;
}

bool has_become(pid_t pid, std::uint64_t device, std::uint64_t inode) {
  struct stat status{};
  if (::stat(fmt::format("/proc/{}/exe", pid).c_str(), &status) != 0) return true;
  return status.st_dev == device && status.st_ino == inode;
}

std::string root_prefix(pid_t pid) {
  const auto theirs = read_proc_link(pid, "ns/mnt");
  const auto ours = read_proc_link(::getpid(), "ns/mnt");
  return theirs && ours && *theirs != *ours ? fmt::format("/proc/{}/root", pid) : "";
}

std::vector<std::string> links_to_mapped(pid_t pid, AddressRange range) {
  return {fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, range.begin.value, range.end.value),
          fmt::format("/proc/{}/exe", pid)};
}

bool counts_as_we_do(std::uint64_t pid_namespace) {
  return pid_namespace != 0 && pid_namespace == pid_namespace_of(::getpid());
}

// Signal 0 is none: it is looked whether there is somebody (kill(2)).
bool has_no_thread(pid_t tid) {
  return ::syscall(SYS_tkill, tid, 0) == -1 && errno == ESRCH;
}

std::optional<pid_t> find_in_namespace(pid_t number, std::uint64_t pid_namespace,
                                       const std::function<bool(pid_t)>& is_it) {
  const bool is_known = pid_namespace != 0;
  if (counts_as_we_do(pid_namespace)) return number;
  for (const pid_t pid : read_process_ids()) {
    if (is_known && pid_namespace_of(pid) != pid_namespace) continue;
    const auto status = read_proc_file(pid, "status");
    if (!status || parse_innermost_pid(*status) != number) continue;
    if (is_known || is_it(pid)) return pid;
  }
  return std::nullopt;
}

std::vector<pid_t> read_process_ids() {
  return read_numeric_names("/proc");
}

// Where a thread ends while the kernel lists them it gives out what it has, and goes on by
// position, past some that live (next_tid() and first_tid() in fs/proc/base.c, Linux 6.18).
std::vector<pid_t> read_thread_ids(pid_t pid) {
  std::vector<pid_t> threads = read_numeric_names(pid, "task");
  const std::unordered_set<pid_t> known(threads.begin(), threads.end());
  for (const pid_t tid : read_numeric_names(pid, "task")) {
    if (!known.contains(tid)) threads.push_back(tid);
  }
  return threads;
}

bool has_userfaultfd(pid_t pid) {
  for (const int fd : read_numeric_names(pid, "fd")) {
    if (read_proc_link(pid, fmt::format("fd/{}", fd)) == "anon_inode:[userfaultfd]") return true;
  }
  return false;
}

}  // namespace mini::kernel
