#include "lab/lesson_text.h"

#include <fmt/format.h>
#include <span>
#include <string_view>
#include <unistd.h>

#include "base/text.h"
#include "lab/glossary.h"
#include "lab/registry.h"
#include "views/flow.h"

namespace mini::lab {
namespace {

using views::Flow;
using views::Ink;

constexpr std::size_t kIndent = 2;
constexpr std::size_t kPredictedColumn = 40;
constexpr std::size_t kObservedColumn = 60;

void write_heading(std::string& out, const views::TextStyle& style, std::string_view text) {
  out += '\n';
  Flow(out, style, 0).put(Ink::kHeading, text).end_line();
}

// Each line of what is shown as it is: a program, events, a map.
void write_verbatim(std::string& out, std::string_view text) {
  out += text;
  if (!text.ends_with('\n')) out += '\n';
}

void write_source(std::string& out, std::string_view text) {
  unsigned number = 0;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    out += line.empty() ? fmt::format("{:4} |\n", ++number)
                        : fmt::format("{:4} | {}\n", ++number, line);
  }
}

std::string_view mark(const views::TextStyle& style, bool holds) {
  if (style.unicode) return holds ? "✓" : "✗";
  return holds ? "ok" : "NO";
}

std::string observed_text(const Line& line) {
  return line.observed ? format_answer(*line.observed) : "not seen";
}

void write_said(std::string& out, const views::TextStyle& style, const Line& line) {
  if (!line.said) return;
  const bool right = line.observed && says(*line.said, *line.observed);
  Flow flow(out, style, kIndent + 3);
  flow.column(kIndent + 3)
      .put(fmt::format("you said {}: {}", format_answer(*line.said), right ? "right" : "not so"))
      .end_line();
}

void write_line(std::string& out, const views::TextStyle& style, const Line& line) {
  Flow flow(out, style, kIndent + 3);
  flow.column(kIndent)
      .piece(line.holds() ? Ink::kPlain : Ink::kError, mark(style, line.holds()))
      .column(kIndent + 3)
      .put(line.prediction.what)
      .column(kPredictedColumn)
      .piece(Ink::kPlain, format_answer(line.prediction.answer))
      .column(kObservedColumn)
      .piece(Ink::kPlain, observed_text(line))
      .end_line();
  write_said(out, style, line);
}

// Where a source is, and what was built of it: neither need be where the reader looks for programs.
void write_program_heading(std::string& out, const Bench& bench, std::string_view source) {
  out += '\n';
  Flow flow(out, bench.style, 0);
  flow.put(Ink::kHeading, fmt::format("Program: {}", shown_path(bench.places.source(source))));
  const std::string program = bench.places.program(source.substr(0, source.rfind('.')));
  if (::access(program.c_str(), X_OK) == 0) {
    flow.put(Ink::kHeading, fmt::format(", built as {}", shown_path(program)));
  }
  flow.end_line();
}

void write_terms(std::string& out, const views::TextStyle& style,
                 std::span<const std::string_view> terms) {
  if (terms.empty()) return;
  out += '\n';
  Flow flow(out, style, 0);
  flow.put("Words:");
  for (const std::string_view term : terms) {
    flow.put(fmt::format(" {}{}", term, term == terms.back() ? "." : ","));
  }
  flow.put(fmt::format(" Each is explained by: heapspy lab glossary {}", terms.front())).end_line();
}

void write_next(std::string& out, const views::TextStyle& style, const Experiment& experiment) {
  const Experiment* const next = neighbour(experiment, 1);
  if (next == nullptr) return;
  out += '\n';
  Flow(out, style, 0).put(fmt::format("Next: heapspy lab {}", next->id)).end_line();
}

// Why predictions may not hold though nothing is wrong with them.
void write_why_not(std::string& out, const Bench& bench) {
  const views::TextStyle& style = bench.style;
  if (bench.machine.altered_by.empty()) {
    write_paragraphs(out, style,
                     "What was predicted is not what happened. Either malloc is another here than "
                     "the prediction takes it for, or the prediction is wrong: the exhibits above "
                     "show what was seen.");
    return;
  }
  std::string variables;
  for (const std::string& variable : bench.machine.altered_by) {
    variables += variables.empty() ? variable : ", " + variable;
  }
  write_paragraphs(out, style,
                   fmt::format("Your environment has {}. The predictions are for a malloc with its "
                               "defaults; what was observed is the one that you altered.",
                               variables));
}

}  // namespace

void write_list(std::string& out, const views::TextStyle& style) {
  Flow(out, style, 0)
      .put("Experiments on malloc, predicted by arithmetic and observed on this machine:")
      .end_line();
  for (const Experiment* experiment : experiments()) {
    Flow flow(out, style, 8);
    flow.column(kIndent).put(Ink::kStrong, experiment->id).column(8).put(experiment->title);
    flow.end_line();
  }
  Flow(out, style, 0)
      .put(
          fmt::format("Begin with: heapspy lab {0}. To predict yourself first: heapspy lab --ask "
                      "{0}. All as web pages: heapspy lab --html DIR. A word: heapspy lab glossary "
                      "chunk.",
                      experiments().front()->id))
      .end_line();
}

Result<void> write_opening(std::string& out, const Experiment& experiment, const Bench& bench) {
  const views::TextStyle& style = bench.style;
  Flow(out, style, 0)
      .put(Ink::kHeading,
           fmt::format("{} {} {}", experiment.id, style.glyphs().dot, experiment.title))
      .end_line();
  out += '\n';
  write_paragraphs(out, style, experiment.question);
  for (const std::string_view name : experiment.sources) {
    const auto text = read_text(bench.places.source(name));
    if (!text) return std::unexpected(text.error());
    write_program_heading(out, bench, name);
    write_source(out, *text);
  }
  if (!experiment.sources_note.empty()) {
    out += '\n';
    write_paragraphs(out, style, experiment.sources_note);
  }
  return {};
}

void write_predictions(std::string& out, const Lesson& lesson, const Bench& bench) {
  const views::TextStyle& style = bench.style;
  write_heading(out, style, fmt::format("Prediction, for {}", describe(bench.machine)));
  for (const Line& line : lesson.lines) {
    Flow flow(out, style, kIndent + 2);
    flow.column(kIndent)
        .put(line.prediction.what)
        .column(kPredictedColumn)
        .piece(Ink::kStrong, format_answer(line.prediction.answer))
        .end_line();
    Flow because(out, style, kIndent + 4);
    because.column(kIndent + 4).put(Ink::kDim, line.prediction.because).end_line();
  }
}

void write_observation(std::string& out, const Lesson& lesson, const Bench& bench) {
  const views::TextStyle& style = bench.style;
  for (const Exhibit& exhibit : lesson.exhibits) {
    write_heading(out, style, exhibit.title);
    write_verbatim(out, exhibit.text);
  }
  write_heading(out, style, "Predicted and observed");
  Flow flow(out, style, 0);
  flow.column(kPredictedColumn).put("predicted").column(kObservedColumn).put("observed").end_line();
  for (const Line& line : lesson.lines) write_line(out, style, line);
  if (lesson.holds()) return;
  out += '\n';
  write_why_not(out, bench);
}

void write_explanation(std::string& out, const Lesson& lesson, const Bench& bench) {
  const views::TextStyle& style = bench.style;
  write_heading(out, style, "Why");
  write_paragraphs(out, style, lesson.experiment->explain(bench));
  write_terms(out, style, lesson.experiment->terms);
  write_next(out, style, *lesson.experiment);
}

void write_glossary(std::string& out, const views::TextStyle& style, std::string_view word) {
  std::string_view section;
  for (const GlossaryEntry& entry : glossary()) {
    if (!word.empty() && &entry != find_in_glossary(word)) continue;
    if (word.empty() && entry.section != section) {
      section = entry.section;
      write_heading(out, style, section);
    }
    if (word.empty()) out += '\n';
    Flow(out, style, kIndent)
        .put(Ink::kStrong, plain_text(entry.title) + ":")
        .put(" " + plain_text(entry.text))
        .end_line();
  }
}

void write_paragraphs(std::string& out, const views::TextStyle& style, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with(' ')) {
      out += line;
      out += '\n';
    } else {
      Flow(out, style, 0).put(line).end_line();
    }
  }
}

}  // namespace mini::lab
