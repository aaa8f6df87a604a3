// The command line of `heapspy report`, parsed and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "cli/report_forms.h"
#include "cli/terminal.h"
#include "explain/call_tree.h"
#include "explain/profile_ranking.h"
#include "model/heap_profile.h"

namespace mini::cli {

enum class ReportForm : std::uint8_t { kText, kJson, kExport };

struct ReportArguments {
  std::string file;
  ReportForm form = ReportForm::kText;
  const ExportForm* exported = nullptr;  // of ReportForm::kExport
  std::optional<std::size_t> top;        // SIZE_MAX: all
  std::optional<std::size_t> depth;
  std::optional<explain::Grouping> by;
  std::optional<explain::TreeDirection> tree;
  std::optional<explain::Measure> measure;
  std::string focus;  // a POSIX extended regular expression; "" for all stacks
  model::TimeSpan span;
  std::optional<Bytes> most_leaked;  // --fail-on-leak: more than that fails
  std::optional<std::string> suppressions_path;
  std::optional<std::string> output_path;
  ColorChoice color = ColorChoice::kAuto;
  std::optional<std::size_t> width;
  bool help = false;
};

/// `words` are those after "report". Errors are usage errors: one line, with what to type.
Result<ReportArguments> parse_report_arguments(std::span<const std::string> words);

std::string report_help();
std::vector<std::string> report_option_names();

}  // namespace mini::cli
