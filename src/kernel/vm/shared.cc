// Linux: raw system calls, so that a program's own wrappers are not called and errno is its own.
#include "kernel/vm/shared.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/blocked_signals.h"
#include "base/clock.h"
#include "kernel/vm/raw_syscall.h"

namespace mini::kernel::vm {
namespace {

constexpr int kAdviseWipeOnFork = 18;  // MADV_WIPEONFORK, Linux 4.14
constexpr int kAdviseKeepOnFork = 19;  // MADV_KEEPONFORK

// With the rights of the real user, as a program has them that is executed next: what this process
// may beyond that (PR_SET_KEEPCAPS) ends there.
bool may(const char* path, int access) {
  return raw_syscall(SYS_faccessat, AT_FDCWD, path, access) == 0;
}

}  // namespace

void* map_inherited(const char* path, std::uint64_t offset, std::size_t bytes) {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (is_error(fd)) return nullptr;
  const long at = raw_syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_NORESERVE, fd, offset);
  raw_syscall(SYS_close, fd);
  return is_error(at) ? nullptr : reinterpret_cast<void*>(at);
}

void* map_shared(const char* path, std::uint64_t offset, std::size_t bytes) {
  void* const at = map_inherited(path, offset, bytes);
  if (at != nullptr) raw_syscall(SYS_madvise, at, bytes, MADV_DONTFORK);
  return at;
}

// With an old size of 0, mremap maps the pages of a shared mapping once more, and as far beyond
// them as the new size says (mm/mremap.c).
void* map_more(void* begin, std::uint64_t offset, std::size_t bytes) {
  const std::size_t whole = offset + bytes;
  const long at = raw_syscall(SYS_mremap, begin, 0, whole, MREMAP_MAYMOVE, 0);
  if (is_error(at)) return nullptr;
  if (offset != 0) raw_syscall(SYS_munmap, at, offset);
  auto* const part = reinterpret_cast<void*>(at + static_cast<long>(offset));
  raw_syscall(SYS_madvise, part, bytes, MADV_DONTFORK);
  return part;
}

void discard_shared(void* begin, std::size_t bytes) {
  raw_syscall(SYS_madvise, begin, bytes, MADV_REMOVE);
}

void* map_wiped_on_fork(std::size_t bytes) {
  const long at = raw_syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (is_error(at)) return nullptr;
  if (!is_error(raw_syscall(SYS_madvise, at, bytes, kAdviseWipeOnFork))) {
    return reinterpret_cast<void*>(at);
  }
  raw_syscall(SYS_munmap, at, bytes);
  return nullptr;
}

void keep_on_fork(void* begin, std::size_t bytes, bool keep) {
  raw_syscall(SYS_madvise, begin, bytes, keep ? kAdviseKeepOnFork : kAdviseWipeOnFork);
}

void share_on_fork(void* begin, std::size_t bytes, bool share) {
  raw_syscall(SYS_madvise, begin, bytes, share ? MADV_DOFORK : MADV_DONTFORK);
}

std::uint64_t block_signals() {
  std::uint64_t before = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kBlockedSignals, &before, sizeof before);
  return before;
}

void restore_signals(std::uint64_t blocked) {
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, nullptr, sizeof blocked);
}

Range signal_stack() {
  stack_t stack{};
  raw_syscall(SYS_sigaltstack, nullptr, &stack);
  if ((stack.ss_flags & SS_DISABLE) != 0) return {};
  return {.at = stack.ss_sp, .bytes = stack.ss_size};
}

void wait_shared(std::uint32_t* word, std::uint32_t expected, std::uint64_t most_ns) {
  const timespec most = timespec_of(most_ns);
  raw_syscall(SYS_futex, word, FUTEX_WAIT, expected, &most, nullptr, 0);
}

void wake_shared(std::uint32_t* word) {
  raw_syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

std::uint32_t process_id() {
  return static_cast<std::uint32_t>(raw_syscall(SYS_getpid));
}

std::uint32_t parent_process_id() {
  return static_cast<std::uint32_t>(raw_syscall(SYS_getppid));
}

std::uint32_t thread_id() {
  return static_cast<std::uint32_t>(raw_syscall(SYS_gettid));
}

std::uint64_t pid_namespace() {
  struct stat status{};
  const long result = raw_syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/pid", &status, 0);
  return is_error(result) ? 0 : status.st_ino;
}

std::size_t executable_path(char* out, std::size_t size) {
  const long bytes = raw_syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", out, size);
  return is_error(bytes) ? 0 : static_cast<std::size_t>(bytes);
}

std::size_t open_file_path(int descriptor, char* out, std::size_t size) {
  char link[32] = "/proc/self/fd/";
  char* end = &link[sizeof "/proc/self/fd/" - 1];
  char digits[12];
  int count = 0;
  for (auto rest = static_cast<unsigned>(descriptor); count == 0 || rest != 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
  const long bytes = raw_syscall(SYS_readlinkat, AT_FDCWD, &link[0], out, size);
  return is_error(bytes) ? 0 : static_cast<std::size_t>(bytes);
}

std::size_t command_line(char* out, std::size_t size) {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return 0;
  const long bytes = raw_syscall(SYS_read, fd, out, size);
  raw_syscall(SYS_close, fd);
  return is_error(bytes) ? 0 : static_cast<std::size_t>(bytes);
}

void name_memory(const void* begin, std::size_t bytes, const char* name) {
  constexpr long kSetVma = 0x53564d41;  // PR_SET_VMA, PR_SET_VMA_ANON_NAME of linux/prctl.h
  constexpr long kAnonName = 0;
  raw_syscall(SYS_prctl, kSetVma, kAnonName, begin, bytes, name);
}

void end_process(int status) {
  while (true) raw_syscall(SYS_exit_group, status);
}

std::uint32_t effective_user() {
  return static_cast<std::uint32_t>(raw_syscall(SYS_geteuid));
}

std::uint32_t effective_group() {
  return static_cast<std::uint32_t>(raw_syscall(SYS_getegid));
}

bool will_open(const char* path) {
  return may(path, R_OK | W_OK);
}

bool will_read(const char* path) {
  return may(path, R_OK);
}

bool will_execute(const char* path) {
  return may(path, X_OK);
}

bool file_exists(const char* path) {
  const long answer = raw_syscall(SYS_faccessat, AT_FDCWD, path, 0);  // F_OK
  return answer != -ENOENT && answer != -ENOTDIR;
}

}  // namespace mini::kernel::vm
