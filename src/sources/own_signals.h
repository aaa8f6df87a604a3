// heapspy's own signals while it traces. The terminal's signals belong to the target.
#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <sys/types.h>

#include "base/result.h"

namespace mini::sources {

/// Installs what tracing needs and puts everything back in the end. One at a time.
///
/// waitpid has no way to wait for a signal too, and a signal may come just before it blocks. So
/// a handler that wants attention starts a timer, whose ticks interrupt waitpid until it is heard.
class OwnSignals {
 public:
  enum class Mode {
    kLaunch,  // SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed to the target, but
              // for those of its process group that it gets anyway
    kAttach,  // SIGINT, SIGQUIT, SIGTERM and SIGHUP ask us to detach
  };
  explicit OwnSignals(Mode mode);
  OwnSignals(const OwnSignals&) = delete;
  OwnSignals& operator=(const OwnSignals&) = delete;
  ~OwnSignals();

  /// For the child before execve: dispositions and mask as we got them. Async-signal-safe.
  void restore() const;

  /// kLaunch: before the fork. What comes until pass_to() waits, here and in the child: what is
  /// sent to the group now the target gets, what was sent to it before it does not.
  static void hold();
  /// kLaunch: after the fork, so that the target is our first child: from now on what is sent to
  /// the group is told from what is sent to us.
  static void watch_group();
  /// kLaunch: whom to pass signals on to, those that came before included; 0: nobody.
  static void pass_to(pid_t pid);
  /// kLaunch: the target has ended, and what it started goes on; from now on signals are as with
  /// kAttach.
  static void end_on_request();
  /// Whether a signal asked for the end; and whether one did since it was taken last.
  static bool end_requested();
  static bool take_end_request();
  /// kAttach: whether the end was ever asked for: nothing may be waited for from then on while
  /// targets are held. A call that waits already the ticks cut short.
  static bool is_leaving();
  /// kAttach: whether there is one.
  static bool has_joined();
  /// Whether a signal asked for the end, ours or the target's, and the target is not there any
  /// more.
  static bool must_end();
  /// When a kLaunch is over: ends this process as the signal does that asked for the end, if one
  /// did.
  static void end_as_asked();

  /// Stops this process, as the target was stopped by a signal, until somebody continues it.
  static void stop_by(int signal);

  /// Has the end of a child cut a sleep short, and how it is noticed.
  static void wake_at_end_of_child();
  static bool take_end_of_child();

  /// kAttach: asks for the end by itself after so long.
  static Result<void> request_end_after(std::uint64_t ns);

  /// A timer that interrupts waitpid every few milliseconds, and how it is noticed.
  static void start_ticking();
  static void stop_ticking();
  static bool take_tick();

 private:
  static constexpr std::size_t kMostSignals = 12;
  struct Saved {
    int signal = 0;
    struct sigaction action{};
  };
  void set(int signal, const struct sigaction& action);

  std::array<Saved, kMostSignals> saved_;
  std::size_t saved_count_ = 0;
  sigset_t mask_{};
};

}  // namespace mini::sources
