// Between the source and the views: explains each event, filters what is shown, and keeps the
// summary small however long the trace is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "cli/event_filter.h"
#include "sources/trace.h"
#include "views/output.h"
#include "views/trace_view.h"

namespace mini::cli {

/// A view and where it writes; neither is owned.
struct ViewSlot {
  views::TraceView* view = nullptr;
  views::Output* output = nullptr;
  std::string name;  // of the output, for the message when it fails
  bool reported = false;
  std::uint64_t missing_count = 0;  // events that it did not take, since it was said last
  std::uint64_t unread_count = 0;   // of all of these
};

class TraceStory final : public sources::TraceSink {
 public:
  TraceStory(const EventFilter& filter, std::vector<ViewSlot> views);

  void on_event(model::Event& event, model::Process& process) override;
  void on_notice(const std::string& line) override;
  void on_difference(const model::Process& process, const std::string& line) override;
  void on_detach(model::Process& process) override;
  void on_tick() override;

  /// Completes the summary and gives it to the views.
  void finish(const sources::TraceOutcome& outcome);

 private:
  /// A program that runs: what its summary needs and the model no longer has at its end.
  struct Running {
    std::string executable;
    std::uint64_t order = 0;
    bool acted = false;  // a child that does nothing before it execs has no story of its own
  };

  void end_program(model::Process& process, views::ProcessEnd end, int wait_status);
  static bool takes_event(ViewSlot& slot);
  static void say_what_is_missing(ViewSlot& slot);
  void report_failures();

  const EventFilter& filter_;
  std::vector<ViewSlot> views_;
  std::map<pid_t, Running> running_;
  std::vector<std::pair<std::uint64_t, views::ProcessSummary>> ended_;
  views::TraceSummary summary_;
  std::uint64_t started_count_ = 0;
};

/// Adds what `more` counted to `total`; of the peaks the larger stays.
void add_ledger(model::Ledger& total, const model::Ledger& more);

}  // namespace mini::cli
