#include "views/inspection_diff_view.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "views/flow.h"
#include "views/json_writer.h"
#include "views/report_json_parts.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"
#include "views/text_table.h"

namespace mini::views {
namespace {

using explain::Change;
using Align = TextTable::Align;

constexpr std::size_t kTop = 10;

std::string bytes_text(std::int64_t bytes) {
  const std::string text = format_bytes(Bytes{static_cast<std::uint64_t>(std::llabs(bytes))});
  return bytes < 0 ? "-" + text : text;
}

std::string signed_text(std::int64_t n, const std::string& text) {
  return n > 0 ? "+" + text : text;
}

std::string count_text(std::int64_t n) {
  const std::string text = format_count(static_cast<std::uint64_t>(std::llabs(n)));
  return n < 0 ? "-" + text : text;
}

struct Words {
  std::string_view name;
  std::string_view words;
};

// Where those of heapspy inspect are not those of its JSON.
constexpr Words kWords[] = {{"rss_bytes", "resident"},
                            {"virtual_bytes", "mapped"},
                            {"live_bytes", "live"},
                            {"free_bytes", "free, bins"},
                            {"cached_bytes", "free, thread caches"},
                            {"top_bytes", "free, top"},
                            {"overhead_bytes", "allocator's own"},
                            {"returnable_bytes", "can go back"},
                            {"pinned_bytes", "free in pages with blocks in use"},
                            {"cached_blocks", "free, thread caches"},
                            {"free_in_bins", "free, bins"},
                            {"free_top", "free, top"},
                            {"overhead", "allocator's own"},
                            {"foreign_break", "sbrk by others"},
                            {"unknown_heap", "behind damage"},
                            {"heap_rest", "rest of heap mappings"},
                            {"heapspy", "heapspy's own"}};

std::string words_of(std::string_view name) {
  const auto* const known = std::ranges::find(kWords, name, &Words::name);
  if (known != std::end(kWords)) return std::string(known->words);
  std::string words(name);
  std::ranges::replace(words, '_', ' ');
  return words;
}

TextTable change_table(const char* name) {
  TextTable table;
  table.add_column("change", Align::kRight);
  table.add_column("before", Align::kRight);
  table.add_column("after", Align::kRight);
  table.add_column(name, Align::kLeft);
  return table;
}

void add_change(TextTable& table, const std::string& name, const Change& change, bool is_count) {
  const auto text = is_count ? count_text : bytes_text;
  table.add_row({signed_text(change.growth(), text(change.growth())), text(change.before),
                 text(change.after), name});
}

void write_sentence(std::string& out, const TextStyle& style, std::string_view text) {
  Flow(out, style, 4).column(2).put(text).end_line();
}

void write_no_heap(std::string& out, const std::optional<std::string>& because,
                   std::string_view file, const TextStyle& style) {
  if (because) write_sentence(out, style, fmt::format("No heap is in {}: {}", file, *because));
}

void write_cores(std::string& out, const explain::InspectionDiff& diff,
                 const InspectionDiffOptions& options) {
  if (diff.compares_resident()) return;
  const std::string_view core = diff.is_core_before ? options.before_file : options.after_file;
  write_sentence(
      out, options.style,
      fmt::format("{} is a core: what is mapped is compared, not what was resident.", core));
}

void write_sizes(std::string& out, const explain::InspectionDiff& diff,
                 const InspectionDiffOptions& options) {
  if (diff.sizes.empty()) return;
  write_heading(out, options.style, "Live blocks",
                fmt::format("{} changed", counted(diff.sizes.size(), "size")));
  TextTable table;
  for (const char* title : {"change", "block size", "blocks before", "after", "change "}) {
    table.add_column(title, Align::kRight);
  }
  const std::size_t shown = std::min(diff.sizes.size(), options.top.value_or(kTop));
  for (const explain::SizeChange& size : std::span(diff.sizes).first(shown)) {
    table.add_row({signed_text(size.bytes.growth(), bytes_text(size.bytes.growth())),
                   count_text(size.block_bytes), count_text(size.blocks.before),
                   count_text(size.blocks.after),
                   signed_text(size.blocks.growth(), count_text(size.blocks.growth()))});
  }
  table.write(out, options.style);
}

void write_change(JsonWriter& json, const Change& change) {
  json.key("before").signed_number(change.before);
  json.key("after").signed_number(change.after);
  json.key("change").signed_number(change.growth());
}

void write_no_heap(JsonWriter& json, std::string_view name,
                   const std::optional<std::string>& because) {
  json.key(name);
  because ? json.string(*because) : json.null();
}

void write_totals(JsonWriter& json, const std::vector<explain::TotalChange>& totals) {
  json.key("totals").begin_array();
  for (const explain::TotalChange& total : totals) {
    const auto change = total.change();
    json.begin_object();
    json.key("name").string(total.name);
    json.key("before").signed_number_or_null(total.before);
    json.key("after").signed_number_or_null(total.after);
    json.key("change").signed_number_or_null(change ? std::optional(change->growth())
                                                    : std::nullopt);
    json.end_object();
  }
  json.end_array();
}

void write_kinds(JsonWriter& json, std::span<const std::pair<std::string, Change>> kinds) {
  json.key("kinds").begin_array();
  for (const auto& [what, change] : kinds) {
    json.begin_object();
    json.key("name").string(what);
    write_change(json, change);
    json.end_object();
  }
  json.end_array();
}

void write_block_sizes(JsonWriter& json, std::span<const explain::SizeChange> sizes) {
  json.key("block_sizes").begin_array();
  for (const explain::SizeChange& size : sizes) {
    json.begin_object();
    json.key("block_bytes").signed_number(size.block_bytes);
    json.key("blocks").begin_object();
    write_change(json, size.blocks);
    json.end_object().key("bytes").begin_object();
    write_change(json, size.bytes);
    json.end_object().end_object();
  }
  json.end_array();
}

}  // namespace

void write_inspection_diff(std::string& out, const explain::InspectionDiff& diff,
                           std::span<const explain::Finding> findings,
                           const InspectionDiffOptions& options) {
  write_heading(out, options.style, "What changed",
                fmt::format("{}, {}", options.before_file, options.after_file));
  if (!diff.is_same_process) {
    write_sentence(out, options.style, "The two are of different processes.");
  }
  write_no_heap(out, diff.no_heap_before, options.before_file, options.style);
  write_no_heap(out, diff.no_heap_after, options.after_file, options.style);
  write_cores(out, diff, options);
  TextTable totals = change_table("what");
  for (const explain::TotalChange& total : diff.totals) {
    const auto change = total.change();
    if (change) add_change(totals, words_of(total.name), *change, total.name == "live_blocks");
  }
  totals.write(out, options.style);
  write_report_findings(out, findings, options.style);
  write_sizes(out, diff, options);
  if (diff.kinds.empty()) return;
  write_heading(out, options.style, diff.compares_resident() ? "Resident memory" : "Mapped memory",
                "by what it is");
  TextTable kinds = change_table("kind");
  const std::size_t shown = std::min(diff.kinds.size(), options.top.value_or(kTop));
  for (const auto& [name, change] : std::span(diff.kinds).first(shown)) {
    add_change(kinds, words_of(name), change, false);
  }
  kinds.write(out, options.style);
}

void write_inspection_diff_json(std::string& out, const explain::InspectionDiff& diff,
                                std::span<const explain::Finding> findings,
                                const InspectionDiffOptions& options) {
  const std::size_t top = options.top.value_or(SIZE_MAX);
  JsonWriter json(out);
  json.begin_object();
  json.key("type").string("inspect_diff");
  json.key("schema").number(1);
  json.key("heapspy").string(options.version);
  json.key("before").string(options.before_file);
  json.key("after").string(options.after_file);
  json.key("same_process").boolean(diff.is_same_process);
  write_no_heap(json, "no_heap_before_because", diff.no_heap_before);
  write_no_heap(json, "no_heap_after_because", diff.no_heap_after);
  write_totals(json, diff.totals);
  json.key("kinds_of").string(diff.compares_resident() ? "resident" : "mapped");
  write_kinds(json, std::span(diff.kinds).first(std::min(diff.kinds.size(), top)));
  write_block_sizes(json, std::span(diff.sizes).first(std::min(diff.sizes.size(), top)));
  write_findings(json, findings);
  json.end_object();
  out += '\n';
}

}  // namespace mini::views
