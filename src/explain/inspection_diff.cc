#include "explain/inspection_diff.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <iterator>

#include "base/json_value.h"
#include "base/text.h"

namespace mini::explain {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 60;  // so that sums and differences fit
constexpr std::int64_t kWorthAWord = 64 << 10;
constexpr std::string_view kWithoutHeap[] = {"rss_bytes", "virtual_bytes"};

std::int64_t amount(const JsonValue& value) {
  return std::clamp<std::int64_t>(value.number().value_or(0), -kMost, kMost);
}

/// Of all keys of either side.
template <typename Map>
std::vector<std::pair<typename Map::key_type,
                      std::pair<typename Map::mapped_type, typename Map::mapped_type>>>
joined(const Map& before, const Map& after) {
  std::map<typename Map::key_type, std::pair<typename Map::mapped_type, typename Map::mapped_type>>
      both;
  for (const auto& [key, value] : before) both[key].first = value;
  for (const auto& [key, value] : after) both[key].second = value;
  return {both.begin(), both.end()};
}

std::string bytes_words(std::int64_t bytes) {
  return format_bytes(Bytes{static_cast<std::uint64_t>(std::llabs(bytes))});
}

std::string count_words(std::int64_t count) {
  return format_count(static_cast<std::uint64_t>(std::llabs(count)));
}

Change total_of(const InspectionDiff& diff, std::string_view name) {
  for (const auto& [total, change] : diff.totals) {
    if (total == name) return change;
  }
  return {};
}

void find_suspect(const InspectionDiff& diff, std::vector<Finding>& out) {
  const auto suspect = std::ranges::max_element(
      diff.sizes, {}, [](const SizeChange& size) { return size.bytes.growth(); });
  const Change live = total_of(diff, "live_bytes");
  if (suspect == diff.sizes.end() || suspect->bytes.growth() < kWorthAWord) return;
  std::string share;
  if (live.growth() > 0) {
    share = fmt::format("; all live blocks grew by {}", bytes_words(live.growth()));
  }
  out.push_back(
      {.kind = "leak_suspect",
       .statement =
           fmt::format("Blocks of {} bytes grew the most, by {}.",
                       count_words(suspect->block_bytes), bytes_words(suspect->bytes.growth())),
       .evidence = fmt::format(
           "{} - {} = {} more blocks of {} bytes are {}{}.", count_words(suspect->blocks.after),
           count_words(suspect->blocks.before), count_words(suspect->blocks.growth()),
           count_words(suspect->block_bytes), bytes_words(suspect->bytes.growth()), share),
       .advice = fmt::format("heapspy inspect --leaks says whether they can still be reached; "
                             "heapspy record, who allocates {} bytes.",
                             count_words(suspect->block_bytes)),
       .weight = static_cast<double>(suspect->bytes.growth())});
}

void find_free_growth(const InspectionDiff& diff, std::vector<Finding>& out) {
  const Change resident = total_of(diff, "rss_bytes");
  const Change live = total_of(diff, "live_bytes");
  std::int64_t free = 0;
  for (const char* name : {"free_bytes", "cached_bytes", "top_bytes"}) {
    free += total_of(diff, name).growth();
  }
  if (resident.growth() < kWorthAWord || free <= live.growth()) return;
  out.push_back({.kind = "free_growth",
                 .statement = "More free memory than live blocks came to the heap.",
                 .evidence = fmt::format(
                     "Resident memory grew by {}; live blocks {} by {}, free ones {} by {}.",
                     bytes_words(resident.growth()), live.growth() < 0 ? "shrank" : "grew",
                     bytes_words(live.growth()), free < 0 ? "shrank" : "grew", bytes_words(free)),
                 .advice = "That is no leak of blocks: heapspy inspect says what keeps the free "
                           "memory.",
                 .weight = static_cast<double>(free)});
}

}  // namespace

Result<InspectionFacts> read_inspection_facts(std::string_view json) {
  const auto parsed = JsonValue::parse(json);
  if (!parsed) return std::unexpected(parsed.error());
  const JsonValue& root = *parsed;
  if (root["type"].text() != "inspect") return fail("no output of heapspy inspect --json");
  if (root["schema"].number() != 1) {
    return fail("its schema is none that this heapspy knows: inspect again with this one");
  }
  InspectionFacts facts;
  facts.pid = amount(root["pid"]);
  facts.executable = root["executable"].text();
  if (root["heap"].is_null()) facts.no_heap_because = root["no_heap_because"].text();
  for (const std::string_view name : kInspectionTotals) {
    const JsonValue& of_process = root[name];
    facts.totals.emplace(name, amount(of_process.is_null() ? root["heap"][name] : of_process));
  }
  const auto& resident = root["resident_ledger"].items();
  const auto& rows = resident.empty() ? root["virtual_ledger"].items() : resident;
  for (const JsonValue& row : rows) {
    std::int64_t& sum = facts.kinds[row["kind"].text()];
    sum = std::clamp(sum + amount(row["bytes"]), -kMost, kMost);
  }
  for (const JsonValue& row : root["block_sizes"].items()) {
    facts.sizes[amount(row["block_bytes"])] = {amount(row["blocks"]), amount(row["bytes"])};
  }
  return facts;
}

InspectionDiff diff_inspections(const InspectionFacts& before, const InspectionFacts& after) {
  InspectionDiff diff;
  diff.is_same_process = before.pid == after.pid && before.executable == after.executable;
  diff.no_heap_before = before.no_heap_because;
  diff.no_heap_after = after.no_heap_because;
  const bool have_heaps = !diff.no_heap_before && !diff.no_heap_after;
  for (const std::string_view name : kInspectionTotals) {
    const bool is_of_heap = std::ranges::find(kWithoutHeap, name) == std::end(kWithoutHeap);
    if (is_of_heap && !have_heaps) continue;
    diff.totals.emplace_back(
        name, Change{before.totals.find(name)->second, after.totals.find(name)->second});
  }
  for (const auto& [kind, both] : joined(before.kinds, after.kinds)) {
    if (both.first != both.second) diff.kinds.emplace_back(kind, Change{both.first, both.second});
  }
  std::ranges::stable_sort(diff.kinds, std::ranges::greater(),
                           [](const auto& kind) { return std::llabs(kind.second.growth()); });
  if (!have_heaps) return diff;
  for (const auto& [size, both] : joined(before.sizes, after.sizes)) {
    const auto& [was, is] = both;
    if (was.blocks == is.blocks && was.bytes == is.bytes) continue;
    diff.sizes.push_back({size, {was.blocks, is.blocks}, {was.bytes, is.bytes}});
  }
  std::ranges::stable_sort(diff.sizes, std::ranges::greater(),
                           [](const SizeChange& size) { return std::llabs(size.bytes.growth()); });
  return diff;
}

std::vector<Finding> find_in_inspection_diff(const InspectionDiff& diff) {
  std::vector<Finding> findings;
  find_suspect(diff, findings);
  find_free_growth(diff, findings);
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::weight);
  return findings;
}

}  // namespace mini::explain
