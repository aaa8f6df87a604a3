// The timeline of a report: live bytes as a filled curve, RSS as a line above it.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "base/text.h"
#include "views/flow.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

constexpr std::size_t kRows = 8;
constexpr std::size_t kLabelColumns = 10;
// From nothing to full, in eighths.
constexpr std::array<std::string_view, 9> kFilled = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

struct Column {
  std::uint64_t live_bytes = 0;
  std::uint64_t resident_bytes = 0;
};

/// The buckets from `begin` on, in `count` columns of equal width.
std::vector<Column> make_columns(const model::Timeline& timeline, std::size_t begin,
                                 std::size_t count) {
  std::vector<Column> columns(count);
  const std::size_t buckets = timeline.buckets.size() - begin;
  std::uint64_t resident = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = begin + i * buckets / count;
    const std::size_t end = std::max(first + 1, begin + (i + 1) * buckets / count);
    std::uint64_t most_resident = 0;
    for (std::size_t bucket = first; bucket < end; ++bucket) {
      const model::TimelineBucket& one = timeline.buckets[bucket];
      columns[i].live_bytes = std::max(columns[i].live_bytes, one.most_live_bytes);
      most_resident = std::max(most_resident, one.resident_bytes);
    }
    if (most_resident != 0) resident = most_resident;  // else as it was when last asked
    columns[i].resident_bytes = resident;
  }
  return columns;
}

/// How many eighths of a row an amount fills, over all rows.
std::size_t eighths(std::uint64_t amount, std::uint64_t most) {
  if (most == 0 || amount == 0) return 0;
  const double part = static_cast<double>(amount) / static_cast<double>(most);
  const auto all = static_cast<std::size_t>(std::lround(part * 8 * kRows));
  return std::clamp<std::size_t>(all, 1, std::size_t{8} * kRows);
}

void write_row(std::string& out, const TextStyle& style, const std::vector<Column>& columns,
               std::uint64_t most, std::size_t row, const std::string& label) {
  Flow flow(out, style, 0);
  flow.column(kLabelColumns - std::min(label.size(), kLabelColumns)).piece(Ink::kDim, label);
  flow.column(kLabelColumns + 1).piece(Ink::kDim, style.glyphs().side);
  for (const Column& column : columns) {
    const std::size_t live = eighths(column.live_bytes, most);
    const std::size_t resident = eighths(column.resident_bytes, most);
    const std::size_t filled = live > 8 * row ? std::min<std::size_t>(live - 8 * row, 8) : 0;
    const bool has_line = resident > 8 * row && resident <= 8 * (row + 1);
    if (filled > 0) {
      const std::string_view glyph = style.unicode ? kFilled[filled] : filled >= 4 ? "#" : ".";
      flow.piece(Ink::kProgram, glyph);
    } else {
      flow.piece(Ink::kDim, has_line ? style.glyphs().rule : " ");
    }
  }
  flow.end_line();
}

void write_axis(std::string& out, const TextStyle& style, const model::HeapProfile& profile,
                std::size_t columns) {
  std::string rule(style.glyphs().bottom_left);
  for (std::size_t i = 0; i < columns; ++i) rule += style.glyphs().rule;
  Flow(out, style, 0).column(kLabelColumns + 1).piece(Ink::kDim, rule).end_line();
  Flow flow(out, style, 0);
  flow.column(kLabelColumns + 2).piece(Ink::kDim, report_time(profile.span.from_ns));
  flow.right(Ink::kDim, report_time(profile.duration_ns)).end_line();
}

}  // namespace

void write_report_timeline(std::string& out, const model::HeapProfile& profile,
                           const TextStyle& style) {
  const model::Timeline& timeline = profile.timeline;
  const std::uint64_t bucket_ns = std::max<std::uint64_t>(timeline.bucket_ns, 1);
  const std::uint64_t begin = profile.span.from_ns / bucket_ns;
  if (begin >= timeline.buckets.size()) return;
  const std::size_t count = style.width - kLabelColumns - 2;
  const std::vector<Column> columns = make_columns(timeline, begin, count);
  std::uint64_t most = 0;
  bool has_resident = false;
  for (const Column& column : columns) {
    most = std::max({most, column.live_bytes, column.resident_bytes});
    has_resident = has_resident || column.resident_bytes != 0;
  }
  if (most == 0) return;
  write_heading(out, style, "Timeline", "");
  for (std::size_t row = kRows; row-- > 0;) {
    std::string label;
    if (row == kRows - 1) label = report_bytes(most);
    if (row == kRows / 2 - 1) label = report_bytes(most / 2);
    write_row(out, style, columns, most, row, label);
  }
  write_axis(out, style, profile, count);
  std::string legend =
      fmt::format("{} live blocks, the most of each moment ({})", style.glyphs().bar,
                  profile.is_estimate ? "estimated" : "derived");
  if (has_resident) legend += fmt::format("  {} RSS (measured)", style.glyphs().rule);
  Flow(out, style, 4).column(2).put(Ink::kDim, legend).end_line();
}

void write_report_markers(std::string& out, const model::HeapProfile& profile,
                          const TextStyle& style, std::size_t most) {
  const std::vector<model::ProfileMarker>& markers = profile.markers;
  if (markers.empty()) return;
  const std::size_t shown = std::min(markers.size(), most);
  write_heading(out, style, "Markers",
                shown_of(shown, markers.size() + profile.losses.dropped_markers, "marker"));
  constexpr std::size_t kTextColumn = 14;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::string time = report_time(markers[i].time_ns);
    Flow(out, style, kTextColumn)
        .column(kTextColumn - 2 - std::min(time.size(), kTextColumn - 4))
        .put(Ink::kDim, time)
        .column(kTextColumn)
        .put(markers[i].text)
        .end_line();
  }
}

}  // namespace mini::views
