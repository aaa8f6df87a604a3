#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string>

#include "views/function_table.h"
#include "views/report_export.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

/// A name without what the format has a meaning for: a semicolon, a new line.
std::string folded_name(const explain::ProfileFrameView& frame) {
  std::string name = exported_name(frame);
  std::ranges::replace(name, ';', ':');
  return is_plain_ascii(name) ? name : printable(name, true);
}

}  // namespace

void write_folded_stacks(Output& output, const model::HeapProfile& profile,
                         const ExportOptions& options) {
  std::map<std::string, std::uint64_t> lines;
  for (const model::StackProfile& stack : profile.stacks) {
    const std::uint64_t amount = explain::measure_of(stack.totals, options.measure);
    if (amount == 0) continue;
    const explain::ProfileStackView view = explain::stack_view(profile, stack.node);
    std::string line;
    for (std::size_t i = view.frames.size(); i-- > 0;) {
      line += line.empty() ? "" : ";";
      line += folded_name(view.frames[i]);
    }
    lines[line.empty() ? std::string(kNoStack) : line] += amount;
  }
  for (const auto& [line, amount] : lines) {
    output.write(fmt::format("{} {}\n", line, amount));
    output.end_record();
  }
}

}  // namespace mini::views
