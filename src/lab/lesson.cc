#include "lab/lesson.h"

#include <algorithm>
#include <fmt/format.h>

namespace mini::lab {

bool Lesson::holds() const {
  return std::ranges::all_of(lines, &Line::holds);
}

Result<Lesson> prepare(const Experiment& experiment, const Bench& bench) {
  auto predictions = experiment.predict(bench);
  if (!predictions) return std::unexpected(predictions.error());
  Lesson lesson{.experiment = &experiment, .lines = {}, .exhibits = {}};
  for (Prediction& prediction : *predictions) {
    lesson.lines.push_back({std::move(prediction), std::nullopt, std::nullopt});
  }
  return lesson;
}

Result<void> carry_out(Lesson& lesson, const Bench& bench) {
  auto seen = lesson.experiment->observe(bench);
  if (!seen) return std::unexpected(seen.error());
  if (seen->answers.size() != lesson.lines.size()) {
    return fail(fmt::format("{} figures were predicted, {} observed", lesson.lines.size(),
                            seen->answers.size()));
  }
  for (std::size_t i = 0; i < lesson.lines.size(); ++i) {
    lesson.lines[i].observed = std::move(seen->answers[i]);
  }
  lesson.exhibits = std::move(seen->exhibits);
  return {};
}

}  // namespace mini::lab
