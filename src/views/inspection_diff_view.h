// What changed between two inspections, for people and for programs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "explain/inspection_diff.h"
#include "views/text_style.h"

namespace mini::views {

struct InspectionDiffOptions {
  TextStyle style;
  std::optional<std::size_t> top;  // rows of each table, 10 by default; of lists of the JSON, all
  std::string_view before_file;
  std::string_view after_file;
  std::string_view version;  // of heapspy
};

void write_inspection_diff(std::string& out, const explain::InspectionDiff& diff,
                           std::span<const explain::Finding> findings,
                           const InspectionDiffOptions& options);

/// One object; docs/diff-format.md describes it.
void write_inspection_diff_json(std::string& out, const explain::InspectionDiff& diff,
                                std::span<const explain::Finding> findings,
                                const InspectionDiffOptions& options);

}  // namespace mini::views
