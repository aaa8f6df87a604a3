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
    kLaunch,  // SIGINT and SIGQUIT go to the target by the terminal; SIGTERM and SIGHUP are passed
    kAttach,  // SIGINT, SIGTERM, SIGHUP and SIGQUIT ask us to detach
  };
  explicit OwnSignals(Mode mode);
  OwnSignals(const OwnSignals&) = delete;
  OwnSignals& operator=(const OwnSignals&) = delete;
  ~OwnSignals();

  /// For the child before execve: dispositions and mask as we got them. Async-signal-safe.
  void restore() const;

  /// kLaunch: whom to pass SIGTERM and SIGHUP on to; 0: nobody.
  static void pass_to(pid_t pid);
  /// kAttach: whether a signal asked for the end.
  static bool end_requested();

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
  static constexpr std::size_t kMostSignals = 10;
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
