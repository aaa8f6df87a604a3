// A tracer in a process of its own, as heapspy is, that can be signalled, stopped and killed; and a
// target that is not its child. Both talk by pipes: nothing here waits for a length of time.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "sources/trace.h"

namespace mini::sources {

/// A pipe's two ends; closes what is left of them.
class Channel {
 public:
  Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  /// Reads up to a newline or the end; the line without its newline.
  std::string read_line();
  /// True at the end: nobody can write any more.
  bool at_end();
  void write(const std::string& text);
  void close_read();
  void close_write();
  int read_fd() const { return fds_[0]; }
  int write_fd() const { return fds_[1]; }

 private:
  int fds_[2] = {-1, -1};
};

/// What fork's child runs: never returns. Its process group is its own.
class TracerProcess {
 public:
  /// The target's standard input and output are `input` and `output`, where it is launched.
  TracerProcess(const TraceOptions& options, Channel& input, Channel& output);
  TracerProcess(const TracerProcess&) = delete;
  TracerProcess& operator=(const TracerProcess&) = delete;
  ~TracerProcess();

  pid_t pid() const { return pid_; }
  /// The target's process id; comes with the first event.
  pid_t target_pid();
  /// Waits until a good number of events have come, after target_pid().
  void wait_busy();
  /// Waits for its end: its exit status, 128 + N after signal N.
  int wait_end();
  /// Waits until it stops: the signal.
  int wait_stop();
  /// After the end: "detached=1 differences=0 events=…", or an error's message.
  std::string report();

 private:
  Channel report_;
  pid_t pid_ = 0;
  pid_t target_pid_ = 0;
  bool ended_ = false;
};

/// Starts a program as our own child, with pipes for standard input and output.
pid_t start_program(const std::vector<std::string>& command, Channel& input, Channel& output);

/// The letter of /proc/PID/status: R S T t Z…; waits until it is one of `states`.
char wait_for_state(pid_t pid, const std::string& states);

}  // namespace mini::sources
