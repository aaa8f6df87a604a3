#include "views/terminal_view.h"

#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/terminal_event.h"
#include "views/terminal_heading.h"
#include "views/terminal_layout.h"
#include "views/terminal_ledger.h"

namespace mini::views {

void TerminalTraceView::on_event(const model::Event& event, const model::Process& process,
                                 bool shown) {
  if (!options_.events || !healthy()) return;
  if (first_pid_ == 0) first_pid_ = event.pid;
  several_ = several_ || event.pid != first_pid_;
  Chapter& chapter = chapters_[event.pid];
  const bool replaced = event.kind == model::EventKind::kExec;
  if (replaced || chapter.phase != event.phase) {
    end_chapter(chapter, event.pid);
    begin_chapter(chapter, event, process);
  }
  if (chapter.executable.empty()) chapter.executable = process.executable;
  chapter.row = process.ledger.by_phase[static_cast<std::size_t>(event.phase)];
  if (shown) {
    if (!chapter.headed || current_pid_ != event.pid) write_chapter_heading(chapter, event.pid);
    chapter.headed = true;
    current_pid_ = event.pid;
    write_event(output_.buffer(), options_.style, event, options_.full_stacks);
  }
  if (event.kind == model::EventKind::kProcessExit) {
    end_chapter(chapter, event.pid);
    chapters_.erase(event.pid);
  }
  if (!output_.buffer().empty()) output_.end_record();
}

void TerminalTraceView::begin_chapter(Chapter& chapter, const model::Event& event,
                                      const model::Process& process) {
  chapter = Chapter{};
  chapter.phase = event.phase;
  chapter.executable = process.executable;
}

void TerminalTraceView::end_chapter(Chapter& chapter, pid_t pid) {
  if (!chapter.headed) return;
  chapter.headed = false;
  const model::PhaseRow& row = chapter.row;
  if (row.calls_count == 0 || chapter.phase == model::Phase::kExit) return;  // the event says it
  const Glyphs& glyphs = options_.style.glyphs();
  std::string text = counted(row.calls_count, "call");
  if (current_pid_ != pid) {
    text = fmt::format("{} of {} {}: {}", model::phase_title(chapter.phase),
                       path_basename(chapter.executable), pid, text);
  }
  if (row.gained.count != 0) text += fmt::format(" {} +{}", glyphs.dot, format_bytes(row.gained));
  if (row.returned.count != 0) {
    text += fmt::format(" {} {}{}", glyphs.dot, glyphs.minus, format_bytes(row.returned));
  }
  Flow(output_.buffer(), options_.style, 0).right(Ink::kDim, "= " + text).end_line();
}

void TerminalTraceView::write_chapter_heading(const Chapter& chapter, pid_t pid) {
  std::string title(model::phase_title(chapter.phase));
  if (chapter.headed) title += ", continued";
  std::string whose;
  if (several_) whose = fmt::format("{} {}", path_basename(chapter.executable), pid);
  write_heading(output_.buffer(), options_.style, title, whose);
}

void TerminalTraceView::on_notice(const std::string& line) {
  Flow flow(output_.buffer(), options_.style, 9);
  flow.column(2).put(Ink::kDim, "note:").column(9).put(line).end_line();
  output_.end_record();
}

void TerminalTraceView::on_end(const TraceSummary& summary) {
  for (auto& [pid, chapter] : chapters_) end_chapter(chapter, pid);
  if (options_.summary) write_ledger(output_.buffer(), options_.style, summary);
  if (options_.layout) write_layouts(output_.buffer(), options_.style, summary);
  output_.flush();
}

}  // namespace mini::views
