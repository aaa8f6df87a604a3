// The forms of `heapspy report --export`, as a table: all that differs between them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "sources/heap_profile_reader.h"
#include "views/report_export.h"

namespace mini::cli {

struct ExportForm {
  std::string_view name;
  bool is_binary = false;          // not for terminals
  bool is_of_one_measure = false;  // the one that was asked for
  /// Options of a report that have nothing to choose in it.
  std::span<const std::string_view> refused_options = {};
  /// How finely time is divided.
  std::size_t timeline_buckets = sources::kTimelineBuckets;
  /// nullptr: not made of a profile, but of the recording itself, and always a file.
  void (*write)(views::Output& output, const model::HeapProfile& profile,
                const views::ExportOptions& options) = nullptr;
};

std::span<const ExportForm> export_forms();
/// nullptr where there is none of that name.
const ExportForm* find_export_form(std::string_view name);
/// "folded, flamegraph or pprof".
std::string list_export_forms();

}  // namespace mini::cli
