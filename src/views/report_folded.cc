#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "base/text.h"
#include "explain/profile_frames.h"
#include "views/report_export.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

/// A name without what the format has a meaning for: a semicolon, a new line.
std::string folded_name(const explain::ProfileFrameView& frame) {
  std::string name = frame.line != nullptr && !frame.line->function.empty()
                         ? frame.line->function
                         : explain::describe(frame);
  std::ranges::replace(name, ';', ':');
  return is_plain_ascii(name) ? name : printable(name, true);
}

}  // namespace

void write_folded_stacks(Output& output, const model::HeapProfile& profile,
                         explain::Measure measure) {
  std::map<std::string, std::uint64_t> lines;
  for (const model::StackProfile& stack : profile.stacks) {
    const std::uint64_t amount = explain::measure_of(stack.totals, measure);
    if (amount == 0) continue;
    const explain::ProfileStackView view = explain::stack_view(profile, stack.node);
    std::string line;
    for (std::size_t i = view.frames.size(); i-- > 0;) {
      line += line.empty() ? "" : ";";
      line += folded_name(view.frames[i]);
    }
    lines[line.empty() ? "no stack" : line] += amount;
  }
  for (const auto& [line, amount] : lines) {
    output.write(fmt::format("{} {}\n", line, amount));
    output.end_record();
  }
}

}  // namespace mini::views
