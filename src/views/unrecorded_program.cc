#include "views/unrecorded_program.h"

#include <fmt/format.h>

#include "base/text.h"

namespace mini::views {

std::string describe(const model::UnrecordedProgram& program) {
  const std::string times =
      program.count == 1 ? "" : fmt::format(", {} times", format_count(program.count));
  if (program.path.empty()) {
    return fmt::format("programs that were too many to name{}", times);
  }
  const std::string_view why = words_of(program.obstacle);
  return fmt::format("{}{}{}{}", program.path, times, why.empty() ? "" : ": it ", why);
}

}  // namespace mini::views
