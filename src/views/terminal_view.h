// The terminal form of a trace: the story by phases, then the ledger, then the layout.
#pragma once

#include <map>
#include <string>
#include <sys/types.h>

#include "views/output.h"
#include "views/text_style.h"
#include "views/trace_view.h"

namespace mini::views {

struct TerminalOptions {
  TextStyle style;
  bool events = true;
  bool summary = true;
  bool layout = true;
  bool full_stacks = false;
};

class TerminalTraceView final : public TraceView {
 public:
  TerminalTraceView(Output& output, const TerminalOptions& options)
      : output_(output), options_(options) {}

  void on_event(const model::Event& event, const model::Process& process, bool shown) override;
  void on_notice(const std::string& line) override;
  void on_end(const TraceSummary& summary) override;
  bool healthy() const override { return output_.healthy(); }

 private:
  /// Where one process is in its story.
  struct Chapter {
    model::Phase phase = model::Phase::kProgramStart;
    model::PhaseRow row;  // of the ledger, as of the last event
    std::string executable;
    bool headed = false;  // its heading has been printed, its subtotal is due
  };

  void begin_chapter(Chapter& chapter, const model::Event& event, const model::Process& process);
  void end_chapter(Chapter& chapter, pid_t pid);
  void write_chapter_heading(const Chapter& chapter, pid_t pid);

  Output& output_;
  TerminalOptions options_;
  std::map<pid_t, Chapter> chapters_;  // of the processes that live
  pid_t first_pid_ = 0;
  pid_t current_pid_ = 0;  // whose chapter the last line belongs to; 0: none's
  bool several_ = false;   // more than one process has been seen
};

}  // namespace mini::views
