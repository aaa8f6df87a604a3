#include "lab/staged_run.h"

#include <algorithm>
#include <fmt/format.h>

#include "lab/looked_run.h"
#include "lab/printed.h"

namespace mini::lab {

Result<std::vector<StagedRun>> run_on_allocators(const Bench& bench, std::string_view program,
                                                 int first_stage) {
  std::vector<StagedRun> runs;
  for (Allocator& allocator : allocators(bench.places, first_stage)) {
    auto printed = run_with_looks(
        {.command = {bench.places.program(program)}, .variables = preload(allocator)});
    if (!printed) {
      return fail(fmt::format("{}: {}", allocator.name, printed.error().message));
    }
    runs.push_back({std::move(allocator), std::move(*printed)});
  }
  return runs;
}

const StagedRun* run_on(const std::vector<StagedRun>& runs, std::string_view allocator) {
  const auto found = std::ranges::find_if(
      runs, [&](const StagedRun& run) { return run.allocator.name == allocator; });
  return found == runs.end() ? nullptr : &*found;
}

std::optional<Answer> printed_count(const std::vector<StagedRun>& runs, std::string_view allocator,
                                    std::string_view key) {
  const StagedRun* run = run_on(runs, allocator);
  const auto number = run == nullptr ? std::nullopt : printed_number(run->printed, key);
  return number ? std::optional(count(*number)) : std::nullopt;
}

std::string table_of(const std::vector<StagedRun>& runs, const std::vector<Column>& columns) {
  std::string text = fmt::format("  {:<14}", "");
  for (const Column& column : columns) text += fmt::format("{:>21}", column.title);
  text += '\n';
  for (const StagedRun& run : runs) {
    text += fmt::format("  {:<14}", run.allocator.name);
    for (const Column& column : columns) {
      text += fmt::format("{:>21}", printed_text(run.printed, column.key).value_or("-"));
    }
    text += '\n';
  }
  return text;
}

}  // namespace mini::lab
