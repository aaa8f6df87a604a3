// An experiment that is carried out: what was predicted beside what was seen.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "lab/experiment.h"

namespace mini::lab {

/// One line of the comparison.
struct Line {
  Prediction prediction;
  std::optional<Answer> said;      // by the reader, where asked and answered
  std::optional<Answer> observed;  // nullopt: nothing of the kind was seen

  bool holds() const { return observed == prediction.answer; }
};

struct Lesson {
  const Experiment* experiment = nullptr;
  std::vector<Line> lines;
  std::vector<Exhibit> exhibits;

  bool holds() const;
};

/// The predictions, before anything is run.
Result<Lesson> prepare(const Experiment& experiment, const Bench& bench);

/// Runs the programs and fills in what was seen.
Result<void> carry_out(Lesson& lesson, const Bench& bench);

}  // namespace mini::lab
