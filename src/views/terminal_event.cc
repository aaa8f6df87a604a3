#include "views/terminal_event.h"

#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

#include "base/text.h"
#include "explain/explainer.h"
#include "views/event_facts.h"
#include "views/event_headline.h"
#include "views/flow.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

using model::Event;
using model::EventKind;

constexpr std::size_t kCallColumn = 2;
constexpr std::size_t kLabelColumn = 7;
constexpr std::size_t kTextColumn = 12;
constexpr std::size_t kWhereColumn = 41;
constexpr std::size_t kGap = 2;  // between text and what stands at the right margin

/// Begins a labelled line: "      who   ".
Flow& labelled(Flow& flow, std::string_view label) {
  return flow.column(kLabelColumn).put(Ink::kDim, label).column(kTextColumn);
}

std::string totals(const Event& event, const Glyphs& glyphs) {
  std::string text = fmt::format("heap {} {} mapped {}", format_bytes(event.heap_bytes), glyphs.dot,
                                 format_bytes(event.mapped_bytes));
  if (event.rss_bytes) {
    text += fmt::format(" {} RSS {}", glyphs.dot, format_bytes(*event.rss_bytes));
  }
  return text;
}

void write_headline(std::string& out, const TextStyle& style, const Event& event) {
  const Headline headline = headline_of(event, style.glyphs());
  Flow flow(out, style, kTextColumn);
  flow.column(kCallColumn).put(ink_of(event.cause), headline.call).column(kTextColumn);
  flow.put(headline.ink, headline.change);
  if (!headline.where.empty()) {
    if (flow.position() < kWhereColumn) flow.column(kWhereColumn);
    flow.put("  ").piece(Ink::kPlain, headline.where);
  }
  flow.end_line();
}

std::string joined(const std::vector<std::string>& details) {
  return fmt::format("{}", fmt::join(details, ", "));
}

/// The arguments on lines of their own, broken between them only where possible.
void write_details(std::string& out, const TextStyle& style,
                   const std::vector<std::string>& details) {
  Flow flow(out, style, kTextColumn);
  for (std::size_t i = 0; i < details.size(); ++i) {
    flow.piece(Ink::kDim, details[i] + (i + 1 < details.size() ? "," : "")).put(" ");
  }
  flow.end_line();
}

/// The arguments beside what the addresses are where both fit one line, else above it; then the
/// file's path, where there is one to name. `margin` goes to the right margin; "" for nothing.
void write_what(std::string& out, const TextStyle& style, const Event& event,
                std::string_view margin) {
  const std::vector<std::string> details = details_of(event, style.glyphs());
  const std::string& what = event.mapping_text;
  const std::string text = joined(details);
  const bool beside =
      !what.empty() && kTextColumn + column_width(what) + 3 + column_width(text) <= style.width;
  if (!details.empty() && !beside) write_details(out, style, details);
  if (what.empty()) return;
  Flow flow(out, style, kTextColumn);
  labelled(flow, "is").put(what);
  if (beside && !details.empty()) {
    flow.put(Ink::kDim, fmt::format(" {} ", style.glyphs().dot)).put(Ink::kDim, text);
  }
  if (const auto path = mapped_path(event); !path.empty() && !what.ends_with(path)) {
    flow.put(" ").piece(Ink::kDim, path);
  }
  if (!margin.empty()) flow.right(Ink::kDim, margin);
  flow.end_line();
}

struct Phrase {
  Ink ink;
  std::string text;
};

/// The cause, what is known of it, the program's own frame, the thread.
std::vector<Phrase> who_phrases(const Event& event) {
  std::vector<Phrase> phrases;
  phrases.push_back({ink_of(event.cause), std::string(cause_title(event.cause))});
  const bool said_below = event.cause_detail == "stack cut short";
  if (!event.cause_detail.empty() && event.cause_detail != phrases.front().text && !said_below) {
    phrases.push_back({Ink::kPlain, event.cause_detail});
  }
  if (event.stack != nullptr && event.origin_frame &&
      *event.origin_frame < event.stack->frames.size()) {
    phrases.push_back({Ink::kStrong, explain::describe_frame(*event.stack, *event.origin_frame)});
  }
  if (event.tid != event.pid) phrases.push_back({Ink::kPlain, fmt::format("thread {}", event.tid)});
  if (event.stack != nullptr && event.stack->end != unwind::StackEnd::kComplete) {
    phrases.push_back(
        {Ink::kDim, fmt::format("stack cut short: {}", stack_end_name(event.stack->end))});
  }
  return phrases;
}

std::size_t line_width(const std::vector<Phrase>& phrases) {
  std::size_t width = kTextColumn;
  for (const Phrase& phrase : phrases) width += column_width(phrase.text) + 3;
  return width - 3;
}

void write_who(std::string& out, const TextStyle& style, const std::vector<Phrase>& phrases,
               std::string_view margin) {
  Flow flow(out, style, kTextColumn);
  labelled(flow, "who");
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    if (i > 0) flow.put(Ink::kDim, fmt::format(" {} ", style.glyphs().dot));
    flow.put(phrases[i].ink, phrases[i].text);
  }
  if (!margin.empty()) flow.right(Ink::kDim, margin);
  flow.end_line();
}

/// What the addresses are and who asked, with the totals beside whichever has room for them.
void write_what_and_who(std::string& out, const TextStyle& style, const Event& event) {
  const std::vector<Phrase> phrases = who_phrases(event);
  const std::string sums = totals(event, style.glyphs());
  const auto has_room = [&](std::size_t used) {
    return used + kGap + column_width(sums) <= style.width;
  };
  const bool beside_what = !event.mapping_text.empty() && !has_room(line_width(phrases)) &&
                           mapped_path(event).empty() &&
                           details_of(event, style.glyphs()).empty() &&
                           has_room(kTextColumn + column_width(event.mapping_text));
  write_what(out, style, event, beside_what ? sums : "");
  write_who(out, style, phrases, beside_what ? "" : sums);
}

void write_program(std::string& out, const TextStyle& style, const Event& event) {
  if (const auto details = details_of(event, style.glyphs()); !details.empty()) {
    write_details(out, style, details);
  }
  if (event.cause != model::Cause::kUnknown) {
    write_who(out, style, who_phrases(event), totals(event, style.glyphs()));
  } else {
    Flow(out, style, kTextColumn).right(Ink::kDim, totals(event, style.glyphs())).end_line();
  }
}

/// What the kernel did between the last event and this one: no call tells of it.
void write_stack_growth(std::string& out, const TextStyle& style, const Event& event) {
  Flow headline(out, style, kTextColumn);
  headline.column(kCallColumn).put(Ink::kDim, "no call").column(kTextColumn);
  headline.put(Ink::kStrong,
               format_change(static_cast<std::int64_t>(event.stack_growth.count), style.glyphs()));
  headline.end_line();
  Flow what(out, style, kTextColumn);
  labelled(what, "is").put("main stack: the kernel extends it when it is touched below its end");
  what.end_line();
}

void write_why(std::string& out, const TextStyle& style, const Event& event) {
  if (event.explanation.empty()) return;
  Flow flow(out, style, kTextColumn);
  labelled(flow, "why").put(event.explanation);
  flow.end_line();
}

void write_frame(std::string& out, const TextStyle& style, const unwind::CallStack& stack,
                 std::size_t index) {
  const unwind::Frame& frame = stack.frames[index];
  Flow flow(out, style, kTextColumn + 6);
  if (index == 0) flow.column(kLabelColumn - 2).put(Ink::kDim, "stack");
  flow.column(kTextColumn).put(Ink::kDim, fmt::format("#{}", index)).column(kTextColumn + 4);
  const bool named = !frame.function.empty();
  flow.put(named ? frame.function : explain::describe_frame(stack, index));
  if (frame.inlined) flow.put(Ink::kDim, " (inlined)");
  if (!frame.file.empty()) flow.put(" at ").put(fmt::format("{}:{}", frame.file, frame.line));
  if (named && !frame.module.empty()) {
    flow.put(Ink::kDim, " in ")
        .put(Ink::kDim, fmt::format("{}+{:#x}", path_basename(frame.module), frame.module_offset));
  }
  flow.end_line();
}

}  // namespace

std::string_view cause_title(model::Cause cause) {
  static constexpr std::array<std::string_view, model::kCauseCount> kTitles = {
      "unknown", "loader", "C library start-up", "malloc", "the program itself", "runtime"};
  return kTitles.at(static_cast<std::size_t>(cause));
}

void write_event(std::string& out, const TextStyle& style, const Event& event, bool full_stack) {
  if (event.stack_growth.count != 0) write_stack_growth(out, style, event);
  write_headline(out, style, event);
  if (event.kind == EventKind::kThreadExit || event.kind == EventKind::kProcessExit) return;
  if (event.kind == EventKind::kExec) write_program(out, style, event);
  if (event.kind == EventKind::kSystemCall) write_what_and_who(out, style, event);
  write_why(out, style, event);
  if (full_stack && event.stack != nullptr) {
    for (std::size_t i = 0; i < event.stack->frames.size(); ++i) {
      write_frame(out, style, *event.stack, i);
    }
  }
}

}  // namespace mini::views
