// A heap profile for programs: the JSON of docs/report-format.md, and the forms of other tools that
// docs/exports.md describes. Whatever bytes names have, what is written is well-formed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "explain/heap_findings.h"
#include "explain/profile_ranking.h"
#include "model/heap_profile.h"
#include "views/output.h"

namespace mini::views {

struct ReportJsonOptions {
  std::string_view version;  // of heapspy
  std::string_view focus;    // what profile.stacks were chosen by; "" for all
  /// The first so many entries of each list of stacks. By default none is left out, and those of
  /// little weight are merged (explain/stack_list.h).
  std::optional<std::size_t> top;
};

/// One JSON object and a newline. Written stack by stack: it may be large.
void write_report_json(Output& output, const model::HeapProfile& profile,
                       std::span<const explain::Finding> findings,
                       const ReportJsonOptions& options);

struct ExportOptions {
  std::string_view version;  // of heapspy
  /// What there is one of, or what is shown first. REQUIRES: not Measure::kLifetime.
  explain::Measure measure = explain::Measure::kPeak;
};

/// A line for each stack, outermost function first, and what the measure says of it:
/// "main;load;parse 4096". What flame graph tools read.
void write_folded_stacks(Output& output, const model::HeapProfile& profile,
                         const ExportOptions& options);

/// An SVG picture, with a script that searches and zooms.
void write_flame_graph(Output& output, const model::HeapProfile& profile,
                       const ExportOptions& options);

/// pprof's profile.proto, compressed by gzip.
void write_pprof(Output& output, const model::HeapProfile& profile, const ExportOptions& options);

/// speedscope's JSON.
void write_speedscope(Output& output, const model::HeapProfile& profile,
                      const ExportOptions& options);

/// Trace events, for Perfetto and Chromium. The measure does not matter.
void write_perfetto_trace(Output& output, const model::HeapProfile& profile,
                          const ExportOptions& options);

}  // namespace mini::views
