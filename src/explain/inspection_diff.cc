#include "explain/inspection_diff.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <ranges>
#include <span>

#include "base/json_value.h"
#include "base/text.h"

namespace mini::explain {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 60;  // so that sums and differences fit
constexpr std::int64_t kWorthAWord = 64 << 10;
constexpr std::string_view kWithoutHeap[] = {"rss_bytes", "virtual_bytes"};
// Of a core these are as though all that is mapped were resident.
constexpr std::string_view kOfResident[] = {"returnable_bytes", "pinned_bytes"};
constexpr std::string_view kFreeKinds[] = {"free_in_bins", "cached_blocks", "free_top"};
constexpr std::string_view kLiveKinds[] = {"live_blocks", "mmapped_blocks"};

bool is_among(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

std::int64_t amount(const JsonValue& value) {
  return std::clamp<std::int64_t>(value.number().value_or(0), -kMost, kMost);
}

std::map<std::string, std::int64_t> read_kinds(const JsonValue& ledger) {
  std::map<std::string, std::int64_t> kinds;
  for (const JsonValue& row : ledger.items()) {
    std::int64_t& sum = kinds[row["kind"].text()];
    sum = std::clamp(sum + amount(row["bytes"]), -kMost, kMost);
  }
  return kinds;
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

/// 0 where it is not known.
std::int64_t growth_of(const InspectionDiff& diff, std::string_view name) {
  const auto total = std::ranges::find(diff.totals, name, &TotalChange::name);
  if (total == diff.totals.end()) return 0;
  return total->change().value_or(Change{}).growth();
}

void find_suspect(const InspectionDiff& diff, std::vector<Finding>& out) {
  const auto suspect = std::ranges::max_element(
      diff.sizes, {}, [](const SizeChange& size) { return size.bytes.growth(); });
  const std::int64_t live = growth_of(diff, "live_bytes");
  if (suspect == diff.sizes.end() || suspect->bytes.growth() < kWorthAWord) return;
  const bool is_one = suspect->blocks.growth() == 1;
  std::string share;
  if (live > 0) share = fmt::format("; all live blocks grew by {}", bytes_words(live));
  out.push_back(
      {.kind = "leak_suspect",
       .statement =
           fmt::format("Blocks of {} bytes grew the most, by {}.",
                       count_words(suspect->block_bytes), bytes_words(suspect->bytes.growth())),
       .evidence = fmt::format(
           "{} - {} = {} more block{} of {} bytes {} {}{}.", count_words(suspect->blocks.after),
           count_words(suspect->blocks.before), count_words(suspect->blocks.growth()),
           is_one ? "" : "s", count_words(suspect->block_bytes), is_one ? "is" : "are",
           bytes_words(suspect->bytes.growth()), share),
       .advice = fmt::format(
           "heapspy inspect --leaks says whether they can still be reached; {}, "
           "which code allocates what is not freed.",
           diff.is_core_after ? "heapspy record" : "heapspy record -p, for about as long"),
       .weight = static_cast<double>(suspect->bytes.growth())});
}

void find_free_growth(const InspectionDiff& diff, std::vector<Finding>& out) {
  if (!diff.compares_resident()) return;
  const std::int64_t resident = growth_of(diff, "rss_bytes");
  const std::int64_t live = growth_of(diff, "live_bytes");
  std::int64_t free = 0;
  for (const auto& [kind, change] : diff.kinds) {
    if (is_among(kind, kFreeKinds)) free += change.growth();
  }
  if (resident < kWorthAWord || free < kWorthAWord || free <= live) return;
  out.push_back({.kind = "free_growth",
                 .statement = "More free memory than live blocks came to the heap.",
                 .evidence = fmt::format(
                     "Resident memory grew by {}; live blocks {} by {}, free ones grew by {}.",
                     bytes_words(resident), live < 0 ? "shrank" : "grew", bytes_words(live),
                     bytes_words(free)),
                 .advice = "That is no leak of blocks: heapspy inspect says what keeps the free "
                           "memory.",
                 .weight = static_cast<double>(free)});
}

/// Of blocks and what is free between them the other findings speak; what the allocator adds grows
/// along with them.
void find_growth_outside(const InspectionDiff& diff, std::vector<Finding>& out) {
  const bool is_resident = diff.compares_resident();
  const std::string_view of = is_resident ? "resident" : "mapped";
  const std::int64_t all = growth_of(diff, is_resident ? "rss_bytes" : "virtual_bytes");
  const auto of_heap = [](const auto& kind) {
    return is_among(kind.first, kFreeKinds) || is_among(kind.first, kLiveKinds) ||
           kind.first == "overhead";
  };
  auto outside = diff.kinds | std::views::filter(std::not_fn(of_heap));
  const auto most =
      std::ranges::max_element(outside, {}, [](const auto& kind) { return kind.second.growth(); });
  if (most == outside.end() || std::min(most->second.growth(), all) < kWorthAWord) return;
  const auto& [kind, change] = *most;
  std::string words = kind;
  std::ranges::replace(words, '_', ' ');
  out.push_back(
      {.kind = "memory_growth",
       .statement = fmt::format("Of {} memory outside the heap, {} grew the most, by {}.", of,
                                words, bytes_words(change.growth())),
       .evidence =
           fmt::format("It was {} and is {}; all {} memory grew by {}.", bytes_words(change.before),
                       bytes_words(change.after), of, bytes_words(all)),
       .advice = "heapspy inspect says whose it is; heapspy trace -p, which calls map it.",
       .weight = static_cast<double>(change.growth())});
}

}  // namespace

Result<InspectionFacts> read_inspection_facts(std::string_view json) {
  const auto parsed = JsonValue::parse(json);
  if (!parsed) return std::unexpected(parsed.error());
  const JsonValue& root = *parsed;
  if (root["type"].text() != "inspect") return fail("no output of heapspy inspect --json");
  if (root["schema"].number() != 1) {
    return fail("this heapspy does not know its schema: inspect again with this one");
  }
  InspectionFacts facts;
  facts.pid = amount(root["pid"]);
  facts.executable = root["executable"].text();
  facts.is_core = root["source"].text() == "core";
  if (root["heap"].is_null()) facts.no_heap_because = root["no_heap_because"].text();
  for (const std::string_view name : kInspectionTotals) {
    const JsonValue& of_process = root[name];
    const JsonValue& total = of_process.is_null() ? root["heap"][name] : of_process;
    facts.totals.emplace(name, total.is_null() ? std::nullopt : std::optional(amount(total)));
  }
  facts.resident_kinds = read_kinds(root["resident_ledger"]);
  facts.mapped_kinds = read_kinds(root["virtual_ledger"]);
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
  diff.is_core_before = before.is_core;
  diff.is_core_after = after.is_core;
  const bool have_heaps = !diff.no_heap_before && !diff.no_heap_after;
  for (const std::string_view name : kInspectionTotals) {
    if (!have_heaps && !is_among(name, kWithoutHeap)) continue;
    TotalChange total{std::string(name), before.totals.find(name)->second,
                      after.totals.find(name)->second};
    if (before.is_core != after.is_core && is_among(name, kOfResident)) {
      (before.is_core ? total.before : total.after).reset();
    }
    diff.totals.push_back(std::move(total));
  }
  const bool is_resident = diff.compares_resident();
  for (const auto& [kind, both] : joined(is_resident ? before.resident_kinds : before.mapped_kinds,
                                         is_resident ? after.resident_kinds : after.mapped_kinds)) {
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
  find_growth_outside(diff, findings);
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::weight);
  return findings;
}

}  // namespace mini::explain
