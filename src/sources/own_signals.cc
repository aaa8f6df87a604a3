// Handlers do no more than kill() and setitimer(), ask the witness, and set flags.
#include "sources/own_signals.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <optional>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/group_witness.h"

namespace mini::sources {
namespace {

constexpr suseconds_t kTickMicroseconds = 20'000;

constexpr pid_t kEnded = -1;
constexpr std::array kPassedSignals = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

std::atomic<pid_t> passed_to{0};           // kEnded: to nobody any more
std::atomic<std::uint32_t> came_early{0};  // bits of signals for a target that was not there yet
volatile std::sig_atomic_t leads_session = 0;
volatile std::sig_atomic_t asked_for_end = 0;  // the signal that asked us or the target
volatile std::sig_atomic_t end_wanted = 0;
volatile std::sig_atomic_t attached = 0;
volatile std::sig_atomic_t leaving = 0;
volatile std::sig_atomic_t ticked = 0;
volatile std::sig_atomic_t child_ended = 0;
std::optional<timer_t> end_timer;
std::optional<kernel::GroupWitness> witness;
static_assert(std::atomic<pid_t>::is_always_lock_free);

void tick_every(suseconds_t microseconds) {
  const itimerval timer{{0, microseconds}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void on_child(int) {
  child_ended = 1;
}

void on_end(int) {
  end_wanted = 1;
  leaving = attached;
  tick_every(kTickMicroseconds);
}

// Of the two timers that there may be, the one that asks for the end is timer_create's.
void on_alarm(int, siginfo_t* info, void*) {
  ticked = 1;
  if (info->si_code == SI_TIMER) on_end(SIGALRM);
}

// What the terminal sends goes to the target's process group anyway; its hangup, to the leader of
// the session alone. A process may send to the group or to us: siginfo does not tell.
bool is_for_target(int signal, const siginfo_t& info, pid_t target) {
  const bool group_has_it = witness && witness->saw(signal);
  if (info.si_code > 0 && (signal != SIGHUP || leads_session == 0)) return false;
  return !group_has_it || target <= 0 || ::getpgid(target) != ::getpgrp();
}

void on_passed(int signal, siginfo_t* info, void*) {
  const int saved_errno = errno;
  const pid_t target = passed_to.load();
  if (signal != SIGUSR1 && signal != SIGUSR2) asked_for_end = signal;
  const bool is_passed = is_for_target(signal, *info, target);
  if (target == kEnded) {
    if (signal != SIGUSR1 && signal != SIGUSR2) on_end(signal);
  } else if (is_passed && target != 0) {
    ::kill(target, signal);
  } else if (is_passed) {
    came_early |= 1U << static_cast<unsigned>(signal);
  }
  errno = saved_errno;
}

struct sigaction plain(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  return action;
}

struct sigaction informed(void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigemptyset(&action.sa_mask);
  return action;
}

sigset_t passed_signals() {
  sigset_t passed;
  sigemptyset(&passed);
  for (const int signal : kPassedSignals) sigaddset(&passed, signal);
  return passed;
}

}  // namespace

OwnSignals::OwnSignals(Mode mode) {
  attached = mode == Mode::kAttach ? 1 : 0;
  leaving = 0;
  asked_for_end = 0;
  end_wanted = 0;
  ticked = 0;
  passed_to = 0;
  came_early = 0;
  leads_session = ::getsid(0) == ::getpid() ? 1 : 0;
  sigset_t wanted = passed_signals();
  sigaddset(&wanted, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &wanted, &mask_);
  set(SIGALRM, informed(on_alarm, 0));
  set(SIGCHLD, plain(SIG_DFL));  // ignored, it would take the targets' exit statuses away
  for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) set(signal, plain(SIG_IGN));
  if (mode == Mode::kLaunch) {
    struct sigaction passed = informed(on_passed, SA_RESTART);
    passed.sa_mask = passed_signals();
    for (const int signal : kPassedSignals) set(signal, passed);
  } else {
    for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT}) set(signal, plain(on_end));
  }
}

OwnSignals::~OwnSignals() {
  stop_ticking();
  if (end_timer) ::timer_delete(*end_timer);
  end_timer.reset();
  passed_to = 0;
  restore();
  attached = 0;
  leaving = 0;
  witness.reset();
}

// A signal that was ignored when we started (nohup, a shell's background job) stays ignored, but
// for those that tracing depends on.
void OwnSignals::set(int signal, const struct sigaction& action) {
  Saved& saved = saved_.at(saved_count_++);
  saved.signal = signal;
  ::sigaction(signal, nullptr, &saved.action);
  const bool needed = signal == SIGALRM || signal == SIGCHLD;
  if (saved.action.sa_handler == SIG_IGN && !needed) return;
  ::sigaction(signal, &action, nullptr);
}

void OwnSignals::restore() const {
  for (std::size_t i = 0; i < saved_count_; ++i) {
    ::sigaction(saved_[i].signal, &saved_[i].action, nullptr);
  }
  ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

void OwnSignals::hold() {
  const sigset_t passed = passed_signals();
  ::pthread_sigmask(SIG_BLOCK, &passed, nullptr);
}

void OwnSignals::watch_group() {
  witness = kernel::GroupWitness::start();
}

void OwnSignals::pass_to(pid_t pid) {
  passed_to = pid;
  if (pid == 0) return;
  const std::uint32_t early = came_early.exchange(0);
  for (const int signal : kPassedSignals) {
    if ((early >> static_cast<unsigned>(signal) & 1U) != 0) ::kill(pid, signal);
  }
  const sigset_t passed = passed_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &passed, nullptr);
}

void OwnSignals::end_on_request() {
  passed_to = kEnded;
}

bool OwnSignals::end_requested() {
  return end_wanted != 0;
}

bool OwnSignals::is_leaving() {
  return leaving != 0;
}

bool OwnSignals::has_joined() {
  return attached != 0;
}

bool OwnSignals::must_end() {
  const pid_t target = passed_to.load();
  if (end_wanted != 0) return true;
  if (asked_for_end == 0 || target == 0) return false;
  if (target == kEnded) return true;
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(target), &ended, WEXITED | WNOHANG | WNOWAIT);
  return ended.si_pid == target;
}

bool OwnSignals::take_end_request() {
  if (end_wanted == 0) return false;
  end_wanted = 0;
  return true;
}

void OwnSignals::end_as_asked() {
  if (asked_for_end != 0) ::raise(asked_for_end);
}

// By the same signal, so that one that waits for us as we do for the target knows it for a job's.
void OwnSignals::stop_by(int signal) {
  sigset_t one;
  sigset_t mask;
  sigemptyset(&one);
  sigaddset(&one, signal);
  const struct sigaction stop = plain(SIG_DFL);
  struct sigaction before = stop;
  ::sigaction(signal, &stop, &before);
  ::pthread_sigmask(SIG_UNBLOCK, &one, &mask);
  ::kill(::getpid(), signal);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::sigaction(signal, &before, nullptr);
}

Result<void> OwnSignals::request_end_after(std::uint64_t ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
    return fail(fmt::format("cannot have a timer: {}", std::strerror(errno)), errno);
  }
  end_timer = timer;
  itimerspec at{};
  at.it_value = {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
  ::timer_settime(timer, 0, &at, nullptr);
  return {};
}

// What was there before is put back with the rest. Reads and writes begin anew by themselves; a
// sleep with a limit ends all the same (signal(7)).
void OwnSignals::wake_at_end_of_child() {
  struct sigaction action = plain(on_child);
  action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &action, nullptr);
}

bool OwnSignals::take_end_of_child() {
  if (child_ended == 0) return false;
  child_ended = 0;
  return true;
}

void OwnSignals::start_ticking() {
  tick_every(kTickMicroseconds);
}

void OwnSignals::stop_ticking() {
  tick_every(0);
}

bool OwnSignals::take_tick() {
  if (ticked == 0) return false;
  ticked = 0;
  return true;
}

}  // namespace mini::sources
