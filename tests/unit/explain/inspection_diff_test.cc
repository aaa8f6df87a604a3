#include "explain/inspection_diff.h"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::explain {
namespace {

using testing::HasSubstr;

std::string inspection(std::int64_t live, const std::string& sizes, std::int64_t free = 0) {
  return fmt::format(R"({{"type":"inspect","schema":1,"pid":7,"executable":"/bin/a",
    "rss_bytes":{},"virtual_bytes":900000,
    "resident_ledger":[{{"kind":"file","bytes":1000,"owner":"a"}},{{"kind":"file","bytes":500}},
                       {{"kind":"live_blocks","bytes":{}}},{{"kind":"free_in_bins","bytes":{}}}],
    "heap":{{"live_bytes":{},"live_blocks":3,"free_bytes":{}}},"block_sizes":[{}]}})",
                     live + free + 1500, live, free, live, free, sizes);
}

constexpr std::int64_t kMiB = 1 << 20;

/// All of the heap is mapped, `free_resident` of its free memory and all else resident.
struct Memory {
  std::int64_t live = 0;
  std::int64_t free = 0;
  std::int64_t free_resident = 0;
  std::int64_t other = 0;
  std::int64_t headers = 0;
};

std::string ledger(const Memory& memory, std::int64_t free) {
  return fmt::format(R"([{{"kind":"live_blocks","bytes":{}}},{{"kind":"free_in_bins","bytes":{}}},
                         {{"kind":"other_anonymous","bytes":{}}},{{"kind":"overhead","bytes":{}}}])",
                     memory.live, free, memory.other, memory.headers);
}

std::string process(const Memory& memory) {
  return fmt::format(
      R"({{"type":"inspect","schema":1,"source":"process","pid":7,"executable":"/bin/a",
    "rss_bytes":{},"virtual_bytes":{},"resident_ledger":{},"virtual_ledger":{},
    "heap":{{"live_bytes":{},"live_blocks":3,"free_bytes":{},"pinned_bytes":{}}}}})",
      memory.live + memory.free_resident + memory.other + memory.headers,
      memory.live + memory.free + memory.other + memory.headers,
      ledger(memory, memory.free_resident), ledger(memory, memory.free), memory.live, memory.free,
      memory.free_resident);
}

std::string core(const Memory& memory) {
  return fmt::format(R"({{"type":"inspect","schema":1,"source":"core","pid":7,"executable":"/bin/a",
    "rss_bytes":null,"virtual_bytes":{},"resident_ledger":[],"virtual_ledger":{},
    "heap":{{"live_bytes":{},"live_blocks":3,"free_bytes":{},"pinned_bytes":{}}}}})",
                     memory.live + memory.free + memory.other + memory.headers,
                     ledger(memory, memory.free), memory.live, memory.free, memory.free);
}

TotalChange total_named(const InspectionDiff& diff, std::string_view name) {
  const auto found = std::ranges::find(diff.totals, name, &TotalChange::name);
  EXPECT_NE(found, diff.totals.end()) << name;
  return found != diff.totals.end() ? *found : TotalChange{};
}

InspectionFacts facts(const std::string& json) {
  auto read = read_inspection_facts(json);
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
  return read.value_or(InspectionFacts{});
}

TEST(InspectionDiffTest, NamesTheSizeThatGrewTheMostWithItsArithmetic) {
  const auto before = facts(inspection(300000, R"({"block_bytes":96,"blocks":1000,"bytes":96000},
                                                  {"block_bytes":5000,"blocks":10,"bytes":50000})"));
  const auto after = facts(inspection(1260000, R"({"block_bytes":96,"blocks":11000,"bytes":1056000},
                                                  {"block_bytes":40,"blocks":1,"bytes":40})"));
  const InspectionDiff diff = diff_inspections(before, after);
  ASSERT_EQ(diff.sizes.size(), 3U);
  EXPECT_EQ(diff.sizes[0].block_bytes, 96);
  EXPECT_EQ(diff.sizes[0].blocks.growth(), 10000);
  EXPECT_EQ(diff.sizes[1].bytes.growth(), -50000);
  const auto findings = find_in_inspection_diff(diff);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind, "leak_suspect");
  EXPECT_THAT(findings[0].evidence, HasSubstr("11,000 - 1,000 = 10,000 more blocks of 96 bytes"));
  EXPECT_THAT(findings[0].advice, HasSubstr("heapspy record -p, for about as long, which code"));
}

TEST(InspectionDiffTest, OneMoreBlockIsOne) {
  const auto before = facts(inspection(300000, ""));
  const auto after =
      facts(inspection(1300000, R"({"block_bytes":1000000,"blocks":1,"bytes":1000000})"));
  const auto findings = find_in_inspection_diff(diff_inspections(before, after));
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(findings[0].evidence,
              HasSubstr("1 - 0 = 1 more block of 1,000,000 bytes is 976.6 KiB"));
}

TEST(InspectionDiffTest, RowsOfAKindAreOne) {
  const auto before = facts(inspection(1000, ""));
  EXPECT_EQ(before.resident_kinds.at("file"), 1500);
  const InspectionDiff diff = diff_inspections(before, facts(inspection(5000, "")));
  ASSERT_EQ(diff.kinds.size(), 1U);
  EXPECT_EQ(diff.kinds[0].first, "live_blocks");
  EXPECT_TRUE(diff.is_same_process);
}

TEST(InspectionDiffTest, FreeMemoryThatGrewIsNoLeakOfBlocks) {
  const auto before = facts(inspection(1 << 20, "", 0));
  const auto after = facts(inspection(1 << 20, "", 50 << 20));
  const auto findings = find_in_inspection_diff(diff_inspections(before, after));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, "free_growth");
}

TEST(InspectionDiffTest, FreeMemoryThatIsNotResidentDidNotGrow) {
  const auto before =
      facts(process({.live = 30 * kMiB, .free = 30 * kMiB, .free_resident = 30 * kMiB}));
  const auto after =
      facts(process({.live = 4096, .free = 60 * kMiB, .free_resident = 8192, .other = 200 * kMiB}));
  const auto findings = find_in_inspection_diff(diff_inspections(before, after));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, "memory_growth");
  EXPECT_EQ(findings[0].statement,
            "Of resident memory outside the heap, other anonymous grew the most, by 200 MiB.");
  EXPECT_EQ(findings[0].evidence,
            "It was 0 B and is 200 MiB; all resident memory grew by 140 MiB.");
}

TEST(InspectionDiffTest, HeadersOfBlocksAreNotOutsideTheHeap) {
  const auto before = facts(process({.live = kMiB, .headers = kMiB}));
  const auto after = facts(process({.live = 90 * kMiB, .headers = 9 * kMiB}));
  EXPECT_TRUE(find_in_inspection_diff(diff_inspections(before, after)).empty());
}

TEST(InspectionDiffTest, WhatGrewInPlaceOfOtherMemoryDoesNotStandOut) {
  const auto before = facts(process({.live = 30 * kMiB}));
  const auto after = facts(process({.live = 10 * kMiB, .other = 20 * kMiB}));
  EXPECT_TRUE(find_in_inspection_diff(diff_inspections(before, after)).empty());
}

TEST(InspectionDiffTest, BesideACoreWhatIsMappedIsCompared) {
  const Memory memory{.live = kMiB, .free = 2 * kMiB, .free_resident = kMiB, .other = 3 * kMiB};
  const InspectionDiff diff = diff_inspections(facts(process(memory)), facts(core(memory)));
  EXPECT_FALSE(diff.compares_resident());
  EXPECT_TRUE(diff.kinds.empty());
  EXPECT_EQ(total_named(diff, "virtual_bytes").change()->growth(), 0);
  for (const char* name : {"rss_bytes", "pinned_bytes"}) {
    EXPECT_TRUE(total_named(diff, name).before.has_value()) << name;
    EXPECT_FALSE(total_named(diff, name).after.has_value()) << name;
    EXPECT_FALSE(total_named(diff, name).change().has_value()) << name;
  }
  EXPECT_TRUE(find_in_inspection_diff(diff).empty());
}

TEST(InspectionDiffTest, TwoCoresAreAlike) {
  const auto before = facts(core({.live = kMiB, .free = 2 * kMiB}));
  const auto after = facts(core({.live = kMiB, .free = 5 * kMiB, .other = 8 * kMiB}));
  const InspectionDiff diff = diff_inspections(before, after);
  EXPECT_EQ(total_named(diff, "pinned_bytes").change()->growth(), 3 * kMiB);
  ASSERT_EQ(diff.kinds.size(), 2U);
  const auto findings = find_in_inspection_diff(diff);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].statement,
            "Of mapped memory outside the heap, other anonymous grew the most, by 8 MiB.");
}

TEST(InspectionDiffTest, OfWhatHasNoHeapThereAreNoFiguresOfOne) {
  const auto heap = facts(inspection(1 << 20, R"({"block_bytes":8,"blocks":9,"bytes":72})"));
  const auto none = facts(R"({"type":"inspect","schema":1,"pid":7,"executable":"/bin/a",
    "rss_bytes":5000,"heap":null,"no_heap_because":"another malloc"})");
  const InspectionDiff diff = diff_inspections(heap, none);
  EXPECT_FALSE(diff.no_heap_before.has_value());
  EXPECT_EQ(diff.no_heap_after, "another malloc");
  ASSERT_EQ(diff.totals.size(), 2U);
  EXPECT_EQ(diff.totals[0].name, "rss_bytes");
  EXPECT_EQ(diff.totals[0].after, 5000);
  EXPECT_EQ(diff.totals[1].name, "virtual_bytes");
  EXPECT_TRUE(diff.sizes.empty());
}

TEST(InspectionDiffTest, NothingToSayOfTwoThatAreAlike) {
  const auto one = facts(inspection(1000, R"({"block_bytes":8,"blocks":9,"bytes":72})"));
  const InspectionDiff diff = diff_inspections(one, one);
  EXPECT_TRUE(diff.sizes.empty());
  EXPECT_TRUE(diff.kinds.empty());
  EXPECT_TRUE(find_in_inspection_diff(diff).empty());
}

TEST(InspectionDiffTest, AHostileFileIsNoHarm) {
  EXPECT_FALSE(read_inspection_facts(R"({"type":"ledger"})").has_value());
  EXPECT_FALSE(read_inspection_facts(R"({"type":"inspect","schema":2})").has_value());
  const auto wild = facts(R"({"type":"inspect","schema":1,"pid":"x","heap":[],
    "rss_bytes":9223372036854775807,"block_sizes":[{"block_bytes":-9223372036854775807,
    "blocks":9223372036854775807,"bytes":9223372036854775807},7,null]})");
  const auto other =
      facts(R"({"type":"inspect","schema":1,"heap":[],"rss_bytes":-9223372036854775807,
    "block_sizes":[{"block_bytes":-9223372036854775807,"bytes":-9223372036854775807}]})");
  const InspectionDiff diff = diff_inspections(other, wild);
  EXPECT_GT(diff.sizes[0].bytes.growth(), 0);
  find_in_inspection_diff(diff);
}

}  // namespace
}  // namespace mini::explain
