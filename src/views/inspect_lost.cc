// Blocks that nothing leads to, as a table and as JSON.
#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/inspect_parts.h"
#include "views/place_table.h"
#include "views/report_text.h"
#include "views/terminal_heading.h"

namespace mini::views {

using model::Inspection;

namespace {

constexpr std::size_t kIndent = 2;

}  // namespace

void write_inspect_lost(std::string& out, const Inspection& inspection,
                        const InspectOptions& options) {
  if (!inspection.lost) return;
  const model::LostBlocks& lost = *inspection.lost;
  write_heading(
      out, options.style, "Lost blocks",
      fmt::format("{}, {}", shown_of(lost.direct + lost.indirect, lost.blocks, "live block"),
                  format_bytes(lost.size)));
  const auto say = [&](std::string_view text) {
    Flow(out, options.style, kIndent).column(kIndent).put(text).end_line();
  };
  if (lost.groups.empty()) say("Every live block can be reached.");
  PlaceTable table({"bytes", "block size", "lost", "behind them"}, "type, the first of them");
  const std::size_t shown = std::min(lost.groups.size(), options.top);
  for (const model::LostGroup& group : std::span(lost.groups).first(shown)) {
    table.add_row({format_bytes(group.size()), format_count(group.block_size.count),
                   format_count(group.direct), format_count(group.indirect)},
                  fmt::format("{}, {}", group.type.empty() ? "not known" : group.type,
                              format_address(group.example)),
                  {});
  }
  if (shown != 0) table.write(out, options.style);
  if (shown < lost.groups.size()) {
    say(fmt::format("{} more: choose how many with --top",
                    counted(lost.groups.size() - shown, "group")));
  }
  if (!lost.has_registers) {
    say("Not all threads' registers are known: what only they lead to counts as lost.");
  }
  if (lost.unreadable != Bytes{}) {
    say(fmt::format("{} could not be read: what only that leads to counts as lost.",
                    format_bytes(lost.unreadable)));
  }
}

void write_lost_json(JsonWriter& json, const Inspection& inspection) {
  if (!inspection.lost) return;
  const model::LostBlocks& lost = *inspection.lost;
  json.key("leaks").begin_object();
  json.key("lost_blocks").number(lost.direct);
  json.key("lost_indirectly_blocks").number(lost.indirect);
  json.key("bytes").bytes(lost.size);
  json.key("live_blocks").number(lost.blocks);
  json.key("searched_bytes").bytes(lost.searched);
  json.key("unreadable_bytes").bytes(lost.unreadable);
  json.key("registers_known").boolean(lost.has_registers);
  json.key("groups").begin_array();
  for (const model::LostGroup& group : lost.groups) {
    json.begin_object();
    json.key("block_bytes").bytes(group.block_size);
    json.key("type").string_or_null(group.type);
    json.key("lost_blocks").number(group.direct);
    json.key("lost_indirectly_blocks").number(group.indirect);
    json.key("bytes").bytes(group.size());
    json.key("first").address(group.example);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace mini::views
