// What every view of a trace is: a receiver of explained events and, at the end, of the whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/event.h"
#include "model/process.h"
#include "views/layout.h"

namespace mini::views {

enum class ProcessEnd : std::uint8_t {
  kExited,    // or killed: wait_status says which
  kReplaced,  // by execve; the process goes on as another program
  kDetached,  // left running
};

/// The end of one program's story, kept small: the address space itself is gone by then.
struct ProcessSummary {
  pid_t pid = 0;
  pid_t parent_pid = 0;
  std::string executable;
  ProcessEnd end = ProcessEnd::kDetached;
  int wait_status = 0;  // of kExited
  model::Ledger ledger;
  Layout layout;  // at its end; empty where it was replaced
};

struct TraceSummary {
  std::vector<ProcessSummary> processes;      // in the order of their start, at most 1000
  std::uint64_t further_processes_count = 0;  // ended too, counted in `total` alone
  model::Ledger total;                        // of all processes; peaks are the largest process's
  Bytes replaced_bytes;  // mapped by programs when execve replaced them: in total.mapped_now, but
                         // in no role
  std::uint64_t events_count = 0;
  std::uint64_t hidden_count = 0;  // by filters: counted in every total, not shown
  std::uint64_t unread_count = 0;  // left out of this view since nobody read it; in every total
  std::uint64_t lost_count = 0;
  std::uint64_t unreadable_modules_count = 0;  // ELF files: their functions have no names
  std::uint64_t duration_ns = 0;
  std::uint64_t verified_count = 0;      // comparisons with /proc/PID/maps
  std::uint64_t differences_count = 0;   // found by them
  std::vector<std::string> differences;  // the first of them, one line each
};

class TraceView {
 public:
  virtual ~TraceView() = default;
  /// Each event; `shown` is false where a filter hides it, which changes no total.
  virtual void on_event(const model::Event& event, const model::Process& process, bool shown) = 0;
  virtual void on_notice(const std::string& line) = 0;
  virtual void on_end(const TraceSummary& summary) = 0;
  /// False once writing failed (full disk, closed pipe); the reason is for the user, once.
  virtual bool healthy() const = 0;
};

}  // namespace mini::views
