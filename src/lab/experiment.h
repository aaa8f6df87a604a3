// What an experiment is: a question, a program, a prediction made by arithmetic, an observation.
//
// Each is a table row of data and functions in a file of its own, experiments/<id>_<name>.cc, and
// registry.cc lists them in the order of the journey. What all have in common, asking, comparing
// and showing, is not theirs: lesson.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/answer.h"
#include "lab/machine.h"
#include "lab/places.h"
#include "views/text_style.h"

namespace mini::lab {

/// What an experiment works with.
struct Bench {
  Machine machine;
  Places places;
  views::TextStyle style;            // of exhibits
  std::vector<std::string> command;  // that the reader gave, for the experiments on any program
};

/// A figure that is predicted.
struct Prediction {
  std::string what;      // the line's name in the table: "heap grows by"; at most 34 columns
  std::string question;  // asked of a reader who predicts first: "By how many bytes …?"
  Answer answer;
  std::string because;  // the arithmetic
};

/// Something that was seen, to be shown as it is: events of a trace, a map of the heap.
struct Exhibit {
  std::string title;  // "heapspy trace --filter brk three_mallocs": how to see it again
  std::string text;   // lines at most 80 columns wide
};

struct Observation {
  /// One for each prediction, in their order; nullopt where nothing of the kind was seen.
  std::vector<std::optional<Answer>> answers;
  std::vector<Exhibit> exhibits;
};

struct Experiment {
  std::string_view id;     // "0.3"
  std::string_view title;  // "Three mallocs, one growth"
  std::string_view question;
  std::span<const std::string_view> sources;  // files of lab/ that are shown
  /// What else to read; where there is no program of ours to show, what is run.
  std::string_view sources_note = {};
  Result<std::vector<Prediction>> (*predict)(const Bench& bench);
  Result<Observation> (*observe)(const Bench& bench);
  /// Paragraphs, separated by an empty line; lines that begin with a space are left as they are.
  std::string (*explain)(const Bench& bench);
  std::span<const std::string_view> terms = {};  // of the glossary, in the order of their use
  bool takes_command = false;                    // `heapspy lab ID -- CMD ARG…`
};

}  // namespace mini::lab
