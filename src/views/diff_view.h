// What changed between two recordings, for the terminal and as the JSON of docs/diff-format.md.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "explain/heap_findings.h"
#include "explain/profile_diff.h"
#include "views/output.h"
#include "views/text_style.h"

namespace mini::views {

/// The measures that recordings are compared by, in the order in which they are shown.
inline constexpr explain::Measure kDiffMeasures[] = {
    explain::Measure::kLeaked, explain::Measure::kPeak, explain::Measure::kAllocated,
    explain::Measure::kCalls, explain::Measure::kTemporary};

struct DiffOptions {
  TextStyle style;
  std::size_t top = 10;                     // rows of each table
  std::size_t depth = 3;                    // callers under each place
  std::optional<explain::Grouping> by;      // a table of groups instead of those of stacks
  std::optional<explain::Measure> measure;  // of the tables; all by default, the peak of groups
  std::string_view before_file;
  std::string_view after_file;
};

/// The totals of both, findings, and tables of what grew and what shrank the most.
void write_diff(std::string& out, const explain::ProfileDiff& diff,
                std::span<const explain::Finding> findings, const DiffOptions& options);

struct DiffJsonOptions {
  std::string_view version;  // of heapspy
  std::string_view before_file;
  std::string_view after_file;
  explain::Measure measure = explain::Measure::kPeak;  // what the lists are ordered by
  std::optional<explain::Grouping> by;                 // adds "groups"
  std::optional<std::size_t> top;                      // entries of each list; all by default
};

/// One JSON object and a newline. Written stack by stack: it may be large.
void write_diff_json(Output& output, const explain::ProfileDiff& diff,
                     std::span<const explain::Finding> findings, const DiffJsonOptions& options);

}  // namespace mini::views
