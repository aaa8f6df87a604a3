// Follows threads by ptrace, keeps the model of their processes and reports each memory system
// call. One thread of ours does all of it: ptrace demands that.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <unordered_map>
#include <unordered_set>

#include "sources/space_update.h"
#include "sources/trace.h"
#include "sources/tracee.h"

namespace mini::sources {

class Tracer {
 public:
  /// `filtered`: a seccomp filter stops the targets at memory calls; else every call does.
  Tracer(const TraceOptions& options, TraceSink& sink, bool filtered);

  /// ptrace options for PTRACE_SEIZE.
  static unsigned ptrace_options(bool launched, bool filtered);

  /// A child of ours that will execve the program.
  void add_launched(pid_t pid);
  /// A thread that has been seized and interrupted. The first one makes the process.
  void add_attached(pid_t pid, pid_t tid);

  /// Until no thread is left, or all are detached.
  void run();

  bool started() const { return started_; }  // the launched program runs
  TraceOutcome outcome();

 private:
  using ThreadMap = std::unordered_map<pid_t, std::unique_ptr<Thread>>;

  // tracer.cc: waiting, and what to do with each stop.
  bool wait_once();
  void on_stop(Thread& thread, int status);
  void on_signal(Thread& thread, int signal);
  void on_group_stop(Thread& thread, int signal);
  void resume(Thread& thread, int signal = 0);
  void start_ticking();
  void on_tick();
  void on_end_request();
  void begin_detach();
  void detach(Thread& thread, int signal);
  Thread* find_thread(pid_t tid);
  void hold(Thread& thread, int status);
  void finish_attach_if_all_held(bool wait_no_longer);

  // tracer_calls.cc: memory system calls.
  void on_syscall_stop(Thread& thread);
  void on_seccomp_stop(Thread& thread);
  void on_entry(Thread& thread, const kernel::SyscallSpec& spec,
                const kernel::ThreadRegisters& registers);
  void on_exit(Thread& thread, CallResult result);
  void report_call(Thread& thread, Call& call, CallResult result);
  void be_careful_with_memory(const TracedSpace& space);
  static void keep_traced(const Thread& thread, const kernel::ThreadRegisters& registers);
  void let_go(Thread& thread);
  void call_ended(Thread& thread);
  void release_waiting(TracedSpace& space);
  void resync_if_needed(TracedProcess& process);
  void take_stack(TracedProcess& process, Call& call);
  model::Event new_event(model::EventKind kind, const TracedProcess& process, pid_t tid) const;
  void emit(TracedProcess& process, model::Event& event);
  static Bytes measure(TracedProcess& process);
  void verify(TracedProcess& process);
  // Threads that are let go already change mappings that nobody sees.
  bool may_verify() const { return options_.verify_every != 0 && !detaching_; }

  // tracer_processes.cc: births and new programs.
  void start_attached(TracedProcess& process);
  void on_birth(Thread& parent, int event);
  void copy_space(const TracedSpace& space, pid_t child, TracedSpace& copy);
  std::shared_ptr<TracedProcess> make_child(const TracedProcess& parent, pid_t pid,
                                            bool shares_memory);
  void adopt(TracedProcess& parent, pid_t tid, bool shares_memory, std::string_view how);
  void adopt_orphans();
  bool may_be_announced(const kernel::ProcessStatus& child) const;
  void on_exec(Thread& leader);
  void leave_one_thread(Thread& survivor);
  std::shared_ptr<TracedSpace> begin_space(TracedProcess& process);
  void report_exec(TracedProcess& process, std::optional<Call> call);
  void warn_of_setuid(const TracedProcess& process);
  void notice_once(const std::string& key, const std::string& line);
  void make_unwinder(TracedSpace& space);

  // tracer_ends.cc
  void look_by_a_living_thread(TracedProcess& process);
  Thread& who_ends(Thread& thread);
  void on_exit_stop(Thread& stopped);
  bool let_end(Thread& thread);
  void end_if_last(const std::shared_ptr<TracedProcess>& process, int status);
  void on_gone(pid_t tid, int status);
  void report_end(const std::shared_ptr<TracedProcess>& process, int status);
  void end_process(const std::shared_ptr<TracedProcess>& process);
  void count_stacks(const TracedSpace& space);

  const TraceOptions& options_;
  TraceSink& sink_;
  bool filtered_;
  bool started_ = false;
  bool detaching_ = false;
  bool end_was_requested_ = false;
  bool attaching_ = false;  // until every thread has been seen stopped once
  int attach_ticks_ = 0;
  int detach_ticks_ = 0;
  bool ticking_ = false;
  bool stop_is_the_terminals_ = false;  // of the first process's last stop signal
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::shared_ptr<unwind::ModuleCache> modules_;
  unwind::UnwinderStatistics unwinder_statistics_;  // of address spaces that are gone
  ThreadMap threads_;
  std::unordered_map<pid_t, std::shared_ptr<TracedProcess>> processes_;
  // Children that stopped before their birth was reported, and for how many ticks they have.
  std::unordered_map<pid_t, int> early_stops_;
  std::unordered_set<std::string> noticed_;
  pid_t first_pid_ = 0;
  std::uint64_t sequence_ = 0;
  TraceOutcome outcome_;
};

}  // namespace mini::sources
