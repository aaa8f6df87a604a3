// A program under heapspy's own tracer: its explained events, its ledger, what it printed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/ledger.h"
#include "model/process.h"
#include "sources/target_settings.h"
#include "views/text_style.h"

namespace mini::lab {

struct TracedRun {
  std::vector<model::Event> events;  // explained; of all processes
  model::Ledger ledger;              // of the first process's last program, settled
  std::string output;                // standard output and standard error
  int exit_status = 0;
  std::uint64_t differences = 0;  // between the model and /proc/PID/maps, at any event
  std::uint64_t comparisons = 0;
  std::vector<std::string> notices;
};

struct TraceRequest {
  std::vector<std::string> command;
  sources::Variables variables = {};
  bool stacks = true;
  bool compare_with_kernel = false;  // the model with /proc/PID/maps, after every event
  /// Called for each explained event while the thread that it is about is stopped.
  std::function<void(const model::Event&, const model::Process&)> at_event = {};
};

/// The program's standard input is empty, so that a look_here() of the lab's programs goes on at
/// once.
Result<TracedRun> run_traced(const TraceRequest& request);

/// Its calls of one name: "brk".
std::vector<const model::Event*> calls_of(const TracedRun& run, std::string_view syscall);
/// By how much a call of brk moved the break upwards; negative: downwards.
std::int64_t break_move(const model::Event& event);

/// The events for the reader, as `heapspy trace --events` writes them.
std::string show_events(const views::TextStyle& style,
                        const std::vector<const model::Event*>& events);

}  // namespace mini::lab
