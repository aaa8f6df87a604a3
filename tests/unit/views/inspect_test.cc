// The forms of an inspection: the text's lines, the JSON by its meaning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agreed_text.h"
#include "explain/memory_findings.h"
#include "explain/memory_ledger.h"
#include "views/inspect_view.h"

namespace mini::views {
namespace {

using model::Inspection;
using model::PieceUse;
using nlohmann::json;
using testing::HasSubstr;

Inspection sample() {
  Inspection inspection;
  inspection.pid = 4711;
  inspection.executable = "/usr/bin/prog\x1b[31m";
  inspection.pause_ns = 12'000'000;
  inspection.resident = kKiB * 500;
  inspection.mapped = kMiB;
  model::MemoryRegion heap_region;
  heap_region.mapping.range = {Address{0x10000}, Address{0x20000}};
  heap_region.mapping.path = "[heap]";
  heap_region.resident = kKiB * 64;
  inspection.regions.push_back(heap_region);
  inspection.heap_mappings = {Address{0x10000}};
  model::Heap& heap = inspection.heap.emplace();
  heap.allocator = "glibc";
  heap.version = "2.36";
  heap.found_by = "structure";
  model::HeapArena& arena = heap.arenas.emplace_back();
  arena.is_main = true;
  arena.regions.push_back(heap_region.mapping.range);
  heap.caches.push_back(
      {.address = Address{0x10010}, .thread_id = 4711, .pieces = 2, .size = {96}});
  heap.bins.push_back({.use = PieceUse::kCached,
                       .arena = 0,
                       .cache = 0,
                       .index = 1,
                       .least_size = Bytes{48},
                       .most_size = Bytes{48},
                       .pieces = 2,
                       .size = Bytes{96}});
  heap.damages_count = 1;
  heap.damages.push_back({Address{0x10108}, "size of the chunk at 0x10100", "0x0", "something"});
  inspection.account.by_arena.resize(1);
  auto& totals = inspection.account.by_arena[0];
  totals[0] = {.pieces = 3,
               .size = Bytes{0xf000},
               .header = Bytes{24},
               .resident = Bytes{0xf000},
               .resident_header = Bytes{24}};
  totals[static_cast<std::size_t>(PieceUse::kCached)] = {.pieces = 2, .size = Bytes{96}};
  inspection.account.sizes[6].live = totals[0];
  inspection.account.pins.push_back({.first_block = Address{0x10110},
                                     .blocks = 1,
                                     .size = Bytes{48},
                                     .pinned = Bytes{8192},
                                     .arena = 0});
  explain::make_memory_ledgers(inspection);
  return inspection;
}

model::PieceQuery query_of(std::optional<Address> around) {
  return model::PieceQuery(model::PieceFilter{}, around);
}

void feed(model::PieceQuery& query) {
  query.begin_region({{Address{0x10000}, Address{0x10400}}, 0});
  for (std::uint64_t at = 0x10000; at < 0x10400; at += 0x100) {
    query.piece({.range = {Address{at}, Address{at + 0x100}},
                 .use = at == 0x10200 ? PieceUse::kCached : PieceUse::kLive,
                 .arena = 0,
                 .header = Bytes{8},
                 .before_user = Bytes{16}});
  }
  query.end_region();
}

std::string text_of(const Inspection& inspection, const InspectOptions& options) {
  model::PieceQuery query = query_of(options.around);
  feed(query);
  std::string out;
  write_inspection(out, inspection, explain::find_in_inspection(inspection), query, options);
  return out;
}

json json_of(const Inspection& inspection, const InspectOptions& options) {
  model::PieceQuery query = query_of(options.around);
  feed(query);
  std::string out;
  write_inspection_json(out, inspection, explain::find_in_inspection(inspection), query, options,
                        "1.2.3");
  return json::parse(out);
}

InspectOptions options_of(std::size_t width, bool pieces, std::optional<Address> around = {}) {
  InspectOptions options;
  options.style = {.width = width, .color = false, .unicode = false};
  options.show_pieces = pieces;
  options.around = around;
  return options;
}

TEST(InspectTextTest, FitsItsWidthAndEscapes) {
  for (const std::size_t width : {std::size_t{60}, std::size_t{80}, std::size_t{120}}) {
    for (const bool pieces : {false, true}) {
      const InspectOptions options = options_of(width, pieces);
      const std::string text = text_of(sample(), options);
      expect_lines_fit(text, width);
      expect_nothing_obeyed(text, options.style);
    }
  }
}

TEST(InspectTextTest, RowsThatAreLeftOutAreTaggedAsWhatTheyAre) {
  Inspection inspection = sample();
  for (std::uint64_t i = 0; i < 4; ++i) {
    inspection.resident_ledger.push_back({model::MemoryKind::kOtherAnonymous, 4096,
                                          "owner " + std::to_string(i),
                                          model::FigureTag::kEstimated});
  }
  InspectOptions options = options_of(80, false);
  options.top = 2;
  EXPECT_THAT(text_of(inspection, options),
              testing::ContainsRegex("8 KiB +1.6% +estimated +other anonymous: 2 more"));
}

TEST(InspectTextTest, TheSizeOfAPieceIsNotThatOfWhatItIsIn) {
  std::string out;
  model::PieceQuery query = query_of(Address{0x10020});
  query.begin_region({{Address{0x10000}, Address{0x10200}}, 0});
  query.piece({.range = {Address{0x10000}, Address{0x10100}}, .use = PieceUse::kTop, .arena = 0});
  query.piece(
      {.range = {Address{0x10100}, Address{0x10200}}, .use = PieceUse::kForeign, .arena = 0});
  query.end_region();
  write_inspection(out, sample(), {}, query, options_of(200, false, Address{0x10020}));
  EXPECT_THAT(out, HasSubstr("in the top chunk of 256 bytes, the free end of the arena, at "
                             "0x10000, 32 B into it"));
  EXPECT_THAT(out, HasSubstr("behind it a stretch of 256 bytes, got by moving the break, not by "
                             "malloc, at 0x10100"));
}

TEST(InspectTextTest, ListsFurtherDamage) {
  Inspection inspection = sample();
  EXPECT_THAT(text_of(inspection, options_of(80, false)),
              testing::Not(HasSubstr("What does not fit together")));
  model::Heap& heap = *inspection.heap;
  for (std::uint64_t at = 0x10200; at < 0x10800; at += 0x100) {
    heap.damages.push_back({Address{at}, "flag 1 of the chunk", "set", "clear"});
  }
  heap.damages_count = 100;
  InspectOptions options = options_of(80, false);
  options.top = 3;
  const std::string text = text_of(inspection, options);
  expect_lines_fit(text, 80);
  EXPECT_THAT(text, HasSubstr("What does not fit together"));
  EXPECT_THAT(text, HasSubstr("0x10300         flag 1 of the chunk: set; it should be clear\n"
                              "  97 more\n"));
}

TEST(InspectTextTest, SaysWhatAnAddressIs) {
  const InspectOptions options = options_of(200, false, Address{0x10220});
  const std::string text = text_of(sample(), options);
  EXPECT_THAT(text, HasSubstr("a free block of 256 bytes in a thread's cache at 0x10200"));
  EXPECT_THAT(text, HasSubstr("16 B into what malloc returned, 0x10210"));
  EXPECT_THAT(text, HasSubstr("before it a live block of 256 bytes at 0x10100"));
  EXPECT_THAT(text, HasSubstr("behind it a live block of 256 bytes at 0x10300"));
  EXPECT_THAT(text, HasSubstr("[heap]"));
}

TEST(InspectTextTest, SaysWhichPartOfARegionIsAHeapsOfTheProgram) {
  Inspection inspection = sample();
  inspection.heap->allocator = "libminimalloc";
  inspection.heap->arenas.emplace_back().name = "mine";
  const InspectOptions options = options_of(200, false, Address{0x10320});
  model::PieceQuery query = query_of(options.around);
  query.begin_region({{Address{0x10000}, Address{0x10800}}, 0});
  for (std::uint64_t at = 0x10000; at < 0x10800; at += 0x100) {
    query.piece({.range = {Address{at}, Address{at + 0x100}},
                 .arena = 0x10200 <= at && at < 0x10500 ? 1U : 0U});
  }
  query.end_region();
  std::string text;
  write_inspection(text, inspection, {}, query, options);
  EXPECT_THAT(text, HasSubstr("in mine 0x10200-0x10500;"));
  EXPECT_THAT(text, HasSubstr("32 B into what minimalloc_heap_malloc returned, 0x10300"));
}

TEST(InspectTextTest, WithoutAHeapItSaysWhy) {
  Inspection inspection = sample();
  inspection.heap.reset();
  inspection.account = {};
  inspection.no_heap_because = "it is another malloc";
  EXPECT_THAT(text_of(inspection, {}), HasSubstr("none: it is another malloc"));
}

TEST(InspectJsonTest, LedgersAddUp) {
  const json report = json_of(sample(), {});
  for (const auto& [ledger, total] :
       {std::pair("resident_ledger", "rss_bytes"), std::pair("virtual_ledger", "virtual_bytes")}) {
    std::int64_t sum = 0;
    for (const json& row : report[ledger]) sum += row["bytes"].get<std::int64_t>();
    EXPECT_EQ(sum, report[total].get<std::int64_t>()) << ledger;
  }
  EXPECT_EQ(report["heap"]["live_bytes"], 0xf000 - 24);
  EXPECT_EQ(report["heap"]["cached_bytes"], 96);
  EXPECT_EQ(report["bins"][0]["thread"], 4711);
  EXPECT_EQ(report["findings"][0]["kind"], "damage");
}

TEST(InspectJsonTest, ChunksAndNeighbours) {
  const json report = json_of(sample(), options_of(80, true, Address{0x10300}));
  EXPECT_EQ(report["chunks"].size(), 4U);
  EXPECT_EQ(report["chunks_matching"], 4);
  EXPECT_EQ(report["around"]["before"]["use"], "cached");
  EXPECT_EQ(report["around"]["in"]["chunk"], "0x10300");
  EXPECT_TRUE(report["around"]["after"].is_null());
}

model::LostBlocks lost_blocks() {
  model::LostBlocks lost;
  lost.groups.push_back({.block_size = Bytes{104},
                         .type = std::string(200, 'T') + "\x1b",
                         .direct = 3,
                         .indirect = 4,
                         .example = Address{0x10110}});
  lost.groups.push_back(
      {.block_size = Bytes{24}, .type = "", .direct = 1, .indirect = 0, .example = {}});
  lost.direct = 4;
  lost.indirect = 4;
  lost.size = Bytes{7 * 104 + 24};
  lost.unreadable = Bytes{4096};
  lost.has_registers = false;
  lost.blocks = 100;
  return lost;
}

/// A hundred regions, of which the first is drawn by several lines.
void fill(model::HeapMap& map) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Address begin{0x7f0000000000 + (i << 32U)};
    const Address end = begin + Bytes{i == 0 ? 0x4000000U : 0x1000U};
    map.begin_region({{begin, end}, 0});
    map.piece({.range = {begin, begin + Bytes{0x800}}, .arena = 0});
  }
}

TEST(InspectTextTest, WhatIsShownOnDemandFitsItsWidth) {
  Inspection inspection = sample();
  inspection.lost = lost_blocks();
  model::HeapMap map;
  fill(map);
  for (const std::size_t width : {std::size_t{60}, std::size_t{80}, std::size_t{120}}) {
    InspectOptions options = options_of(width, false);
    options.show_lost = true;
    options.map = &map;
    options.trim =
        model::TrimTrial{.before = kMiB, .after = kMiB * 2, .predicted = kKiB * 7, .returned = 1};
    const std::string text = text_of(inspection, options);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), width) << line;
      EXPECT_EQ(line.find('\x1b'), std::string::npos);
    }
    EXPECT_THAT(text, HasSubstr("60 smaller regions"));
    EXPECT_THAT(text, HasSubstr("1 MiB (1048576 bytes) more"));
  }
}

TEST(InspectJsonTest, WhatIsShownOnDemand) {
  Inspection inspection = sample();
  inspection.lost = lost_blocks();
  model::HeapMap map;
  fill(map);
  InspectOptions options;
  options.map = &map;
  options.trim =
      model::TrimTrial{.before = kMiB, .after = kKiB, .predicted = kKiB * 7, .returned = 1};
  const json report = json_of(inspection, options);
  EXPECT_EQ(report["leaks"]["groups"][0]["bytes"], 7 * 104);
  EXPECT_TRUE(report["leaks"]["groups"][1]["type"].is_null());
  EXPECT_EQ(report["trim"]["given_back_bytes"], 1023 * 1024);
  std::uint64_t live = 0;
  for (const json& region : report["map"]["regions"]) {
    for (const json& cell : region["live_bytes"]) live += cell.get<std::uint64_t>();
  }
  EXPECT_EQ(live, 40U * 0x800) << "of the regions that are drawn";
}

TEST(InspectJsonTest, EveryFieldIsDescribed) {
  expect_documented(json_of(sample(), options_of(80, true, Address{0x10300})), "inspect-format.md",
                    90);
}

}  // namespace
}  // namespace mini::views
