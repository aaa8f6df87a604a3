// Between fork and its sleep the child makes system calls only.
#include "kernel/file_keeper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "kernel/file_descriptor.h"
#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

using Owner = FileKeeper::Owner;

// Not that of the files in /proc: they are root's where a process has changed its user.
std::optional<Owner> owner_of(pid_t pid) {
  const auto status = read_status(pid);
  if (!status) return std::nullopt;
  return Owner{.user = status->effective_user,
               .group = status->effective_group,
               .capabilities = status->effective_capabilities};
}

bool become_user(const Owner& owner) {
  if (owner.user == ::geteuid() && owner.group == ::getegid()) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(owner.group, owner.group, owner.group) == 0 &&
         ::setresuid(owner.user, owner.user, owner.user) == 0;
}

// The kernel compares what is permitted here with what is effective there (security/commoncap.c,
// cap_ptrace_access_check).
bool drop_capabilities(std::uint64_t kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  for (__user_cap_data_struct& set : sets) {
    set.permitted &= static_cast<std::uint32_t>(kept);
    set.effective &= set.permitted;
    kept >>= 32;
  }
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

// What the other user could take from the child through /proc and ptrace: all that heapspy has open
// but the shared file, which keeps its number, and heapspy's environment. Returns where `ready` is.
int drop_what_is_ours(int file, int ready) {
  const int kept = file == 0 ? 1 : 0;
  ::dup2(ready, kept);
  const int higher = std::max(file, kept);
  close_descriptors(1, higher - 1);
  close_descriptors(higher + 1, INT_MAX);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    ::explicit_bzero(*variable, std::strlen(*variable));
  }
  return kept;
}

// Signals of the terminal are not for it; its end comes by SIGKILL, from us or with us.
[[noreturn]] void keep(int file, const Owner& owner, pid_t parent, int ready) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ready = drop_what_is_ours(file, ready);
  const bool is_other = become_user(owner) && drop_capabilities(owner.capabilities);
  const int error = is_other ? 0 : errno;
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user takes it away: last
  [[maybe_unused]] const ssize_t written = ::write(ready, &error, sizeof error);
  ::close(ready);
  while (is_other && ::getppid() == parent) ::pause();
  ::_exit(0);
}

}  // namespace

bool FileKeeper::is_needed(pid_t pid) {
  const auto owner = owner_of(pid);
  const auto us = read_status(::getpid());
  if (!owner || !us) return false;
  return owner->user != us->effective_user || owner->group != us->effective_group ||
         (us->permitted_capabilities & ~owner->capabilities) != 0;
}

Result<FileKeeper> FileKeeper::start_for(const SharedFile& file, pid_t pid) {
  const auto owner = owner_of(pid);
  if (!owner) {
    return fail(fmt::format("cannot share memory with process {}: {}", pid, std::strerror(ESRCH)),
                ESRCH);
  }
  return start(file, *owner);
}

Result<FileKeeper> FileKeeper::start(const SharedFile& file, Owner owner) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), 0) != 0) {
    return fail(
        fmt::format("cannot share memory with user {}: {}", owner.user, std::strerror(errno)),
        errno);
  }
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t parent = ::getpid();
  FileKeeper keeper;
  keeper.child_ = ::fork();
  if (keeper.child_ == 0) keep(file.number(), owner, parent, write_end.get());
  write_end = {};
  int error = EAGAIN;
  const ssize_t count = ::read(read_end.get(), &error, sizeof error);
  if (keeper.child_ < 0 || count != static_cast<ssize_t>(sizeof error) || error != 0) {
    return fail(
        fmt::format("cannot share memory with user {}: {}", owner.user, std::strerror(error)),
        error);
  }
  keeper.path_ = file.path_in(keeper.child_);
  return keeper;
}

FileKeeper::FileKeeper(FileKeeper&& other) noexcept
    : child_(std::exchange(other.child_, 0)), path_(std::move(other.path_)) {}

FileKeeper& FileKeeper::operator=(FileKeeper&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(path_, other.path_);
  return *this;
}

FileKeeper::~FileKeeper() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

}  // namespace mini::kernel
