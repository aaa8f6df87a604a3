// A heap profile for programs: the JSON of docs/report-format.md, and folded stacks.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "explain/heap_findings.h"
#include "explain/profile_ranking.h"
#include "model/heap_profile.h"
#include "views/output.h"

namespace mini::views {

struct ReportJsonOptions {
  std::string_view version;        // of heapspy
  std::string_view focus;          // what profile.stacks were chosen by; "" for all
  std::optional<std::size_t> top;  // entries of each list of stacks; all by default
};

/// One JSON object and a newline. Written stack by stack: it may be large.
void write_report_json(Output& output, const model::HeapProfile& profile,
                       std::span<const explain::Finding> findings,
                       const ReportJsonOptions& options);

/// A line for each stack, outermost function first, and what the measure says of it:
/// "main;load;parse 4096". What flame graph tools read. REQUIRES: measure != Measure::kLifetime.
void write_folded_stacks(Output& output, const model::HeapProfile& profile,
                         explain::Measure measure);

}  // namespace mini::views
