// The format is that of show_smap in fs/proc/task_mmu.c of the kernel: a line as in maps, then
// lines "Name:   number kB".
#include "kernel/proc_smaps.h"

#include <array>
#include <charconv>
#include <cstdint>

#include "base/checked.h"
#include "base/text.h"
#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

struct Figure {
  std::string_view name;
  Bytes value;
};

/// "Rss:                 892 kB".
std::optional<Figure> parse_figure(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !line.ends_with(" kB")) return std::nullopt;
  std::string_view digits = line.substr(colon + 1, line.size() - colon - 4);
  const auto first = digits.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  digits.remove_prefix(first);
  std::uint64_t kilobytes = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), kilobytes);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const auto bytes = checked_multiply(kilobytes, kKiB.count);
  return bytes ? std::optional(Figure{line.substr(0, colon), Bytes{*bytes}}) : std::nullopt;
}

void take(const Figure& figure, SmapsEntry& entry) {
  if (figure.name == "Rss") entry.resident = figure.value;
  if (figure.name == "Swap") entry.swapped = figure.value;
  if (figure.name == "AnonHugePages") entry.huge = figure.value;
}

}  // namespace

std::vector<SmapsEntry> parse_smaps(std::string_view text) {
  std::vector<SmapsEntry> entries;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (auto mapping = parse_maps_line(line)) {
      entries.push_back({.mapping = std::move(*mapping)});
    } else if (const auto figure = parse_figure(line); figure && !entries.empty()) {
      take(*figure, entries.back());
    }
  }
  return entries;
}

Result<std::vector<SmapsEntry>> read_smaps(pid_t pid) {
  const auto text = read_proc_file(pid, "smaps");
  if (!text) return std::unexpected(text.error());
  return parse_smaps(*text);
}

std::optional<ResidentFigures> parse_resident_figures(std::string_view text) {
  ResidentFigures figures;
  bool has_resident = false;
  const std::array<std::pair<std::string_view, Bytes*>, 6> wanted = {
      {{"VmRSS", &figures.resident},
       {"VmHWM", &figures.peak_resident},
       {"VmSize", &figures.mapped},
       {"VmSwap", &figures.swapped},
       {"VmPTE", &figures.page_tables},
       {"HugetlbPages", &figures.pool_pages}}};
  while (!text.empty()) {
    const auto figure = parse_figure(take_line(text));
    if (!figure) continue;
    for (const auto& [name, value] : wanted) {
      if (figure->name == name) *value = figure->value;
    }
    has_resident = has_resident || figure->name == "VmRSS";
  }
  return has_resident ? std::optional(figures) : std::nullopt;
}

std::optional<ResidentFigures> read_resident_figures(pid_t pid) {
  const auto text = read_proc_file(pid, "status");
  return text ? parse_resident_figures(*text) : std::nullopt;
}

}  // namespace mini::kernel
