// Keeps a terminal from stopping heapspy while it holds a process still.
#pragma once

#include <csignal>

namespace mini::kernel {

/// Ctrl-Z, and what a background job gets for a word to the terminal, wait until this ends: a
/// tracer that is stopped does not let go of its tracees. Of the calling thread, and of those that
/// it makes meanwhile; heapspy has no others then.
class HeldJobSignals {
 public:
  HeldJobSignals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) ::sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  HeldJobSignals(const HeldJobSignals&) = delete;
  HeldJobSignals& operator=(const HeldJobSignals&) = delete;
  ~HeldJobSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace mini::kernel
