// Findings about blocks that make room for larger ones, and about memory that the allocator keeps.
#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "explain/heap_findings.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

Finding finding(const model::HeapProfile& profile, std::string_view kind) {
  const std::vector<Finding> findings = find_in_heap(profile);
  const auto found = std::ranges::find(findings, kind, &Finding::kind);
  return found == findings.end() ? Finding{} : *found;
}

/// The parser's vector, which grows.
model::HeapProfile growing_profile(model::Amount outgrown, model::Amount replaced) {
  model::HeapProfile profile = sample_profile();
  profile.stacks[0].outgrown = outgrown;
  profile.stacks[0].replaced = replaced;
  return profile;
}

TEST(GrowthFindingsTest, SaysWhichContainersGrowAndWhere) {
  const Finding growth = finding(growing_profile({6000, 120'000}, {20, 800}), "growth");
  EXPECT_EQ(growth.statement,
            "Vectors grow step by step in app::parse at x.cc:88: 6,000 times, 117.2 KiB outgrown.");
  EXPECT_EQ(growth.evidence,
            "Of 7,400 blocks that it made, 6,000 took the place of a smaller one, which was freed "
            "next: its content was copied, and both were live meanwhile.");
  EXPECT_TRUE(growth.advice.starts_with("Call reserve() first")) << growth.advice;
}

TEST(GrowthFindingsTest, OtherCodeThatDoesTheSameIsNamedToo) {
  model::HeapProfile profile = sample_profile();
  profile.stacks[1].outgrown = {40, 60'000'000};
  EXPECT_EQ(
      finding(profile, "growth").statement,
      "Blocks are replaced by larger ones, step by step in app::Cache::put at cache.cc:17: 40 "
      "times, 57.2 MiB outgrown.");
}

TEST(GrowthFindingsTest, WhatOnlyMakesRoomDoesNotGrow) {
  EXPECT_EQ(finding(growing_profile({3000, 60'000}, {3000, 60'000}), "growth").statement, "");
  EXPECT_EQ(finding(growing_profile({900, 10'000}, {0, 0}), "growth").statement, "")
      << "less than a tenth of all allocations";
  model::HeapProfile few = growing_profile({99, 10'000}, {0, 0});
  few.totals.allocated.blocks = 100;
  EXPECT_EQ(finding(few, "growth").statement, "");
}

/// Seven arenas, for the sample's 96 MiB.
model::HeapProfile arenas_profile(Bytes extent, Bytes peak_resident) {
  model::HeapProfile profile = sample_profile();
  profile.thread_arenas = {.count = 7, .extent = extent};
  profile.kernel.peak_resident = peak_resident;
  return profile;
}

TEST(KeptFindingsTest, SaysThatArenasHoldMoreThanTheBlocksEverHad) {
  const Finding arenas = finding(arenas_profile(kMiB * 300, kMiB * 320), "arenas");
  EXPECT_EQ(arenas.statement,
            "7 arenas of malloc for threads grew to 300 MiB together, for blocks that never had "
            "more than 96.1 MiB at once.");
  EXPECT_TRUE(arenas.evidence.ends_with("RSS was 320 MiB at its peak.")) << arenas.evidence;
  EXPECT_EQ(finding(arenas_profile(kMiB * 300, kMiB * 120), "arenas").statement, "")
      << "RSS does not bear it out";
  EXPECT_EQ(finding(arenas_profile(kMiB * 120, kMiB * 320), "arenas").statement, "")
      << "the blocks needed most of it";
  model::HeapProfile one = arenas_profile(kMiB * 300, kMiB * 320);
  one.thread_arenas.count = 1;
  EXPECT_EQ(finding(one, "arenas").statement, "");
}

TEST(KeptFindingsTest, WhereManyThreadsHaveCachesTheseMayBeIt) {
  model::HeapProfile profile = arenas_profile(kMiB * 300, kMiB * 320);
  EXPECT_TRUE(finding(profile, "arenas").advice.starts_with("Fewer arenas share"));
  profile.threads.resize(1000, {.tid = 1, .name = "", .totals = {.freed = {100'000, 100'000'000}}});
  EXPECT_TRUE(finding(profile, "arenas").advice.starts_with("Threads' caches of freed blocks"));
}

/// The cache's few blocks at the end lie in many pages.
model::HeapProfile sparse_profile(std::uint64_t pages) {
  model::HeapProfile profile = sample_profile();
  profile.stacks[1].totals.live = profile.totals.live = {20'000, 1'280'000};
  profile.stacks[1].live_pages = pages - 10;
  profile.live_pages = pages;
  for (std::size_t i = 6; i < 10; ++i) profile.timeline.buckets[i].most_live_bytes = 1'300'000;
  return profile;
}

TEST(KeptFindingsTest, SaysWhichBlocksKeepPages) {
  const Finding pinned = finding(sparse_profile(20'000), "pinned");
  EXPECT_EQ(pinned.statement, "20,000 blocks keep 78.1 MiB of pages, of which they are 2%.");
  EXPECT_EQ(pinned.evidence,
            "So much was live at the end: 1.2 MiB in 20,000 pages. Most pages have blocks from "
            "app::Cache::put at cache.cc:17: 19,990 of 20,000.");
}

TEST(KeptFindingsTest, PagesOfAProgramThatJustCleanedUpAreNoMatter) {
  model::HeapProfile profile = sparse_profile(20'000);
  for (std::size_t i = 6; i < 10; ++i) profile.timeline.buckets[i].most_live_bytes = 99'000'000;
  EXPECT_EQ(finding(profile, "pinned").statement, "");
  profile.span.until_ns = profile.duration_ns;  // asked for: --at
  EXPECT_NE(finding(profile, "pinned").statement, "");
}

TEST(KeptFindingsTest, FullPagesAndThoseThatAreNotResidentAreNotNamed) {
  EXPECT_EQ(finding(sparse_profile(1'000), "pinned").statement, "");
  model::HeapProfile profile = sparse_profile(20'000);
  profile.totals.live.bytes = 40'000'000;
  EXPECT_EQ(finding(profile, "pinned").statement, "");
  profile.totals.live = {1'000'000, 1'000'000};
  EXPECT_EQ(finding(profile, "pinned").statement, "") << "small blocks fill them, too";
  profile = sparse_profile(20'000);
  profile.kernel.last_resident = kMiB * 60;
  EXPECT_EQ(finding(profile, "pinned").statement, "");
}

TEST(KeptFindingsTest, SaysOfThePeakThatItsPlaceOnlyGrows) {
  model::HeapProfile profile = sample_profile();
  EXPECT_TRUE(finding(profile, "peak").advice.starts_with("To lower the peak"));
  profile.stacks[1].totals.allocated.blocks = 1040;
  EXPECT_TRUE(finding(profile, "peak")
                  .evidence.ends_with("in 1,000 blocks, 96% of all that it ever allocated."));
  EXPECT_TRUE(finding(profile, "peak").advice.starts_with("It allocates all along the run"));
  profile.stacks[1].last_ns = 2'000'000'000;
  EXPECT_TRUE(finding(profile, "peak").advice.starts_with("To lower the peak"));
}

}  // namespace
}  // namespace mini::explain
