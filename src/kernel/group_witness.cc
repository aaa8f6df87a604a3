// The witness blocks all signals, from its birth on, and says which ones came when it is asked. The
// kernel gives a signal to the members of a group one by one, the youngest first (attach_pid() of
// kernel/pid.c, __kill_pgrp_info() of kernel/signal.c; Linux 6.12): what we have got, the witness
// has.
#include "kernel/group_witness.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace mini::kernel {
namespace {

constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};  // it needs no more than a processor

constexpr std::uint64_t bit(int signal) {
  return std::uint64_t{1} << static_cast<unsigned>(signal - 1);
}

std::uint64_t take_pending(const sigset_t& all) {
  constexpr timespec kNoTime{};
  std::uint64_t came = 0;
  for (int signal = 0; (signal = ::sigtimedwait(&all, nullptr, &kNoTime)) > 0;) came |= bit(signal);
  return came;
}

// It has no file of ours open, lest it keep one from its end; the socket's end is its own.
[[noreturn]] void watch(int socket, const sigset_t& all) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "heapspy-witness");
  ::dup2(socket, 0);
  close_descriptors(1, INT_MAX);
  char question = 0;
  while (::recv(0, &question, 1, 0) == 1) {
    const std::uint64_t came = take_pending(all);
    if (::send(0, &came, sizeof came, MSG_NOSIGNAL) < 0) break;
  }
  ::_exit(0);
}

}  // namespace

std::optional<GroupWitness> GroupWitness::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  FileDescriptor ours(ends[0]);
  const FileDescriptor its(ends[1]);
  ::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::fork();
  if (child == 0) watch(its.get(), all);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return {};
  return GroupWitness(child, std::move(ours));
}

GroupWitness::GroupWitness(pid_t child, FileDescriptor socket)
    : child_(child), socket_(std::move(socket)) {}

GroupWitness::GroupWitness(GroupWitness&& other) noexcept
    : child_(std::exchange(other.child_, 0)),
      socket_(std::move(other.socket_)),
      seen_(other.seen_) {}

GroupWitness& GroupWitness::operator=(GroupWitness&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(socket_, other.socket_);
  std::swap(seen_, other.seen_);
  return *this;
}

GroupWitness::~GroupWitness() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

// Where the next one waits already, the witness may have told of both at once.
bool GroupWitness::saw(int signal) {
  constexpr char kQuestion = 0;
  std::uint64_t came = 0;
  while (::recv(socket_.get(), &came, sizeof came, MSG_DONTWAIT) > 0) {  // late answers
  }
  ssize_t count = ::send(socket_.get(), &kQuestion, 1, MSG_NOSIGNAL);
  while (count == 1) {
    count = ::recv(socket_.get(), &came, sizeof came, 0);
    if (count < 0 && errno == EINTR) count = 1;
  }
  if (count == static_cast<ssize_t>(sizeof came)) seen_ |= came;
  const bool is_seen = (seen_ & bit(signal)) != 0;
  sigset_t waiting;
  ::sigpending(&waiting);
  if (sigismember(&waiting, signal) == 0) seen_ &= ~bit(signal);
  return is_seen;
}

}  // namespace mini::kernel
