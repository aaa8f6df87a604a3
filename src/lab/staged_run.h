// One of the lab's programs on one malloc after another: what it printed on each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/answer.h"
#include "lab/experiment.h"
#include "lab/measured_run.h"

namespace mini::lab {

struct StagedRun {
  Allocator allocator;
  std::string printed;
};

/// On the stages from `first_stage` on, glibc and libminimalloc. Nobody looks at the program.
Result<std::vector<StagedRun>> run_on_allocators(const Bench& bench, std::string_view program,
                                                 int first_stage);

/// "stage 3", "glibc"; nullptr where there is none of that name.
const StagedRun* run_on(const std::vector<StagedRun>& runs, std::string_view allocator);

/// The number that it printed there behind "key: ".
std::optional<Answer> printed_count(const std::vector<StagedRun>& runs, std::string_view allocator,
                                    std::string_view key);

struct Column {
  std::string_view title;  // at most 20 columns wide
  std::string_view key;    // of the printed line
};

/// A row for each malloc, a column for each figure.
std::string table_of(const std::vector<StagedRun>& runs, const std::vector<Column>& columns);

}  // namespace mini::lab
