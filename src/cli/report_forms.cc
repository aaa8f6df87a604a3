#include "cli/report_forms.h"

#include <algorithm>
#include <array>

namespace mini::cli {
namespace {

// Perfetto draws tens of thousands of points of a counter without effort.
constexpr std::size_t kFineTimeline = 32768;

constexpr std::array<std::string_view, 2> kChoicesOfStacks = {"--focus", "--measure"};
constexpr std::array<std::string_view, 6> kAllChoices = {
    "--focus", "--measure", "--at", "--between", "--fail-on-leak", "--suppressions"};

constexpr std::array kForms = {
    ExportForm{.name = "folded", .is_of_one_measure = true, .write = views::write_folded_stacks},
    ExportForm{.name = "flamegraph", .is_of_one_measure = true, .write = views::write_flame_graph},
    ExportForm{.name = "pprof", .is_binary = true, .write = views::write_pprof},
    ExportForm{.name = "speedscope", .write = views::write_speedscope},
    ExportForm{.name = "perfetto",
               .refused_options = kChoicesOfStacks,
               .timeline_buckets = kFineTimeline,
               .write = views::write_perfetto_trace},
    ExportForm{.name = "sqlite", .is_binary = true, .refused_options = kAllChoices},
};

}  // namespace

std::span<const ExportForm> export_forms() {
  return kForms;
}

const ExportForm* find_export_form(std::string_view name) {
  const auto* found = std::ranges::find(kForms, name, &ExportForm::name);
  return found == kForms.end() ? nullptr : found;
}

std::string list_export_forms() {
  std::string list;
  for (std::size_t i = 0; i < kForms.size(); ++i) {
    if (i > 0) list += i + 1 < kForms.size() ? ", " : " or ";
    list += kForms[i].name;
  }
  return list;
}

}  // namespace mini::cli
