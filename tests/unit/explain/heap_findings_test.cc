#include "explain/heap_findings.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string_view>

#include "explain/memory_use.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

const Finding* find(const std::vector<Finding>& findings, std::string_view kind) {
  const auto found = std::ranges::find(findings, kind, &Finding::kind);
  return found == findings.end() ? nullptr : &*found;
}

std::string statement(const model::HeapProfile& profile, std::string_view kind) {
  const std::vector<Finding> findings = find_in_heap(profile);
  const Finding* finding = find(findings, kind);
  return finding == nullptr ? "" : finding->statement;
}

TEST(HeapFindingsTest, NothingStandsOutInAnEmptyProfile) {
  EXPECT_TRUE(find_in_heap(model::HeapProfile{}).empty());
}

TEST(HeapFindingsTest, SaysWhatIsFreedAtOnceAndWhere) {
  const std::vector<Finding> findings = find_in_heap(sample_profile());
  const Finding* finding = find(findings, "temporary");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->statement,
            "74% of all allocations are freed at once in app::parse at x.cc:88.");
  EXPECT_EQ(finding->evidence,
            "7,390 of 10,000 allocations were freed by their thread before it allocated again; "
            "24 B each on average.");
}

TEST(HeapFindingsTest, SaysWhatWasNeverFreed) {
  model::HeapProfile profile = sample_profile();
  EXPECT_EQ(statement(profile, "leak"),
            "47.7 MiB in 500 blocks from app::Cache::put at cache.cc:17 were never freed.");
  const auto advice = [&] {
    const std::vector<Finding> findings = find_in_heap(profile);
    const Finding* finding = find(findings, "leak");
    return finding == nullptr ? "" : finding->advice;
  };
  EXPECT_TRUE(advice().starts_with("It allocates all along the run")) << advice();
  profile.stacks[1].last_ns = 2'000'000;
  EXPECT_TRUE(advice().starts_with("It does not allocate all along the run")) << advice();
}

TEST(HeapFindingsTest, SaysOfALittleThatWasNeverFreedThatItIsLittle) {
  model::HeapProfile profile = sample_profile();
  profile.stacks[1].last_ns = 2'000'000;
  profile.stacks[1].totals.live = profile.totals.live = {5, 20'000};
  profile.totals.peak.bytes = 25'000;
  const auto advice = [&] {
    const std::vector<Finding> findings = find_in_heap(profile);
    const Finding* finding = find(findings, "leak");
    return finding == nullptr ? "" : finding->advice;
  };
  EXPECT_TRUE(advice().starts_with("It is little: ")) << advice();
  profile.kernel.peak_resident = Bytes{300'000'000};
  const std::vector<Finding> findings = find_in_heap(profile);
  EXPECT_LT(find(findings, "rss-gap"), find(findings, "leak")) << "what is little comes after it";
  profile.stacks[1].totals.live = profile.totals.live = {5, 2'000'000};
  EXPECT_TRUE(advice().starts_with("It does not allocate all along the run")) << advice();
}

/// The cache's blocks are searched for, and so many are lost.
model::HeapProfile searched_profile(model::Amount lost) {
  model::HeapProfile profile = sample_profile();
  profile.leak_scan.state = model::LeakScan::State::kDone;
  for (model::BlockTotals* totals : {&profile.totals, &profile.stacks[1].totals}) {
    totals->reachable = totals->live;
    totals->reachable -= lost;
  }
  return profile;
}

TEST(HeapFindingsTest, LittleThatIsLostOnceComesLast) {
  model::HeapProfile profile = searched_profile({1, 24});
  EXPECT_EQ(find_in_heap(profile).back().statement,
            "24 B in 1 block from app::Cache::put at cache.cc:17 are lost: nothing points to them "
            "any more.");
  EXPECT_TRUE(find_in_heap(profile).back().evidence.ends_with(", and under 1% of the peak."));
  EXPECT_EQ(find_in_heap(searched_profile({1, 24'000'000})).front().kind, "lost");
  profile = searched_profile({50, 1200});
  EXPECT_EQ(find_in_heap(profile).front().kind, "lost") << "it becomes more along the run";
  profile.stacks[1].last_ns = 2'000'000;
  EXPECT_EQ(find_in_heap(profile).back().kind, "lost");
}

TEST(HeapFindingsTest, WhatIsKeptIsSaidBesideWhatIsLostAtTheSamePlace) {
  EXPECT_EQ(statement(searched_profile({1, 24}), "leak"),
            "47.7 MiB in 499 blocks from app::Cache::put at cache.cc:17 were never freed, though "
            "pointers still lead to them.");
  EXPECT_EQ(statement(searched_profile({500, 50'000'000}), "leak"), "") << "nothing is kept";
}

TEST(HeapFindingsTest, WhatLostBlocksPointToIsNotSaidToBePointedToByNothing) {
  model::HeapProfile profile = searched_profile({400, 40'000'000});
  const auto ends_with = [&](std::string_view why) {
    return statement(profile, "lost").ends_with(why);
  };
  EXPECT_TRUE(ends_with(" are lost: nothing points to them any more."));
  profile.stacks[1].totals.lost_indirectly = {50, 5'000'000};
  EXPECT_TRUE(ends_with(" are lost: only lost blocks, if any, point to them."));
  profile.stacks[1].totals.lost_indirectly = {400, 40'000'000};
  EXPECT_TRUE(ends_with(" are lost: only other lost blocks point to them."));
}

TEST(HeapFindingsTest, WhatWasNotFreedYetIsNotCalledNeverFreed) {
  model::HeapProfile profile = sample_profile();
  profile.span.until_ns = profile.duration_ns;  // the recording goes on
  profile.stacks[1].first_ns = profile.stacks[1].last_ns = 67'100'000;
  profile.totals.live.bytes *= 1000;
  const std::vector<Finding> findings = find_in_heap(profile);
  const Finding* finding = find(findings, "leak");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->statement,
            "47.7 MiB in 500 blocks from app::Cache::put at cache.cc:17 were not freed by 10.0 s.");
  EXPECT_EQ(finding->evidence,
            "That is under 1% of what was live then; the place allocated at 67 ms of 10.0 s.");
  EXPECT_EQ(finding->advice, "The rest of the recording tells whether they are freed later.");
}

TEST(HeapFindingsTest, SaysThatLiveBytesFellButRssDidNot) {
  model::HeapProfile profile = sample_profile();
  EXPECT_EQ(statement(profile, "retention"),
            "Live bytes fell by 58 MiB from 5.0 s to 7.0 s, but RSS by 976.6 KiB only.");
  profile.timeline.buckets[8].last_live_bytes = 10'000'000;
  profile.duration_ns = 8'500'000'000;  // in the middle of that time
  EXPECT_EQ(statement(profile, "retention"),
            "Live bytes fell by 86.6 MiB from 5.0 s to 8.5 s, but RSS by 976.6 KiB only.");
  for (std::size_t i = 6; i < 10; ++i) profile.timeline.buckets[i].resident_bytes = 55'000'000;
  EXPECT_EQ(statement(profile, "retention"), "");
}

TEST(HeapFindingsTest, BlocksThatAreTouchedLateOrNeverAreNotKept) {
  const auto with_rss = [](std::uint64_t until_peak, std::uint64_t then, std::uint64_t after) {
    model::HeapProfile profile = sample_profile();
    std::vector<model::TimelineBucket>& buckets = profile.timeline.buckets;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      buckets[i].resident_bytes = i <= 5 ? until_peak : i == 6 ? then : after;
    }
    return profile;
  };
  EXPECT_NE(statement(with_rss(12'000'000, 110'000'000, 110'000'000), "retention"), "");
  EXPECT_EQ(statement(with_rss(52'000'000, 110'000'000, 50'000'000), "retention"), "")
      << "touched after the peak, and given back";
  EXPECT_EQ(statement(with_rss(52'000'000, 51'000'000, 50'000'000), "retention"), "")
      << "never touched: there was nothing to give back";
}

TEST(HeapFindingsTest, AProgramThatFreesAllAtItsEndKeepsNothing) {
  model::HeapProfile profile = sample_profile();
  for (std::size_t i = 6; i < 10; ++i) profile.timeline.buckets[i].last_live_bytes = 99'000'000;
  profile.timeline.buckets.back().last_live_bytes = 0;
  EXPECT_EQ(statement(profile, "retention"), "");
  for (std::size_t i = 6; i < 9; ++i) profile.timeline.buckets[i].last_live_bytes = 2'000'000;
  EXPECT_EQ(statement(profile, "retention"),
            "Live bytes fell by 94.2 MiB from 5.0 s to 7.0 s, but RSS by 976.6 KiB only.")
      << "though the last 2 MB were freed only then";
}

TEST(HeapFindingsTest, SaysWhereThePeakIsFrom) {
  EXPECT_EQ(statement(sample_profile(), "peak"),
            "99% of the peak is from app::Cache::put at cache.cc:17.");
}

TEST(HeapFindingsTest, AFewBytesOrCallsMatterLess) {
  model::HeapProfile profile = sample_profile();
  const auto weights = [&] {
    std::map<std::string_view, double> of_kind;
    for (const Finding& finding : find_in_heap(profile)) of_kind[finding.kind] = finding.weight;
    return of_kind;
  };
  auto much = weights();
  for (model::BlockTotals* totals : {&profile.totals, &profile.stacks[0].totals,
                                     &profile.stacks[1].totals, &profile.stacks[2].totals}) {
    totals->peak.bytes /= 1000;
    totals->temporary.blocks /= 10;
    totals->allocated.blocks /= 10;
  }
  auto little = weights();
  for (const char* kind : {"temporary", "peak"}) {
    EXPECT_GT(little[kind], 0) << kind;
    EXPECT_LT(little[kind], much[kind] / 2) << kind;
  }
}

TEST(HeapFindingsTest, SaysHowFarRssIsAboveTheHeap) {
  model::HeapProfile profile = sample_profile();
  EXPECT_EQ(statement(profile, "rss-gap"), "");
  profile.kernel.peak_resident = Bytes{300'000'000};
  EXPECT_EQ(statement(profile, "rss-gap"),
            "RSS was 286.1 MiB at its peak, 190 MiB more than the program ever had in blocks.");
}

TEST(HeapFindingsTest, SaysWhoHasMostOfRssMappedWithoutMalloc) {
  model::HeapProfile profile = sample_profile();
  profile.kernel.peak_resident = Bytes{300'000'000};  // 190 MiB above all blocks
  const std::string name = "150 MiB were asked of the kernel itself, not of malloc, by ";
  profile.mappings = {
      {.node = profile.stacks[1].node, .calls = 3, .most_live_bytes = (kMiB * 150).count}};
  EXPECT_EQ(statement(profile, "mapped"), name + "app::Cache::put at cache.cc:17.");
  const auto evidence = [&] {
    const std::vector<Finding> findings = find_in_heap(profile);
    const Finding* finding = find(findings, "mapped");
    return finding == nullptr ? "" : finding->evidence;
  };
  EXPECT_TRUE(evidence().starts_with("So much at once, in 3 calls; RSS was ")) << evidence();
  profile.nodes.push_back(profile.nodes[profile.stacks[1].node]);  // another way to that place
  profile.mappings.push_back(profile.mappings[0]);
  profile.mappings[1].node = static_cast<std::uint32_t>(profile.nodes.size() - 1);
  EXPECT_TRUE(evidence().starts_with(
      "That is the most of each of 2 call stacks, perhaps by turns, in 6 calls; RSS was "))
      << evidence();
  profile.mappings.pop_back();
  profile.mappings[0].most_live_bytes = (kMiB * 90).count;  // others have more
  EXPECT_EQ(statement(profile, "mapped"), "");
  profile.mappings[0].most_live_bytes = (kMiB * 150).count;
  profile.first_touch.state = model::FirstTouch::State::kRecorded;  // and little was touched
  profile.first_touch.owners = {};
  EXPECT_EQ(statement(profile, "mapped"), "");
  profile.kernel.peak_resident = Bytes{100'000'000};
  profile.first_touch.state = model::FirstTouch::State::kNotAsked;
  EXPECT_EQ(statement(profile, "mapped"), "") << "RSS is not above the blocks";
}

TEST(HeapFindingsTest, SaysThatRssHasBlocksThatWereNotSeen) {
  model::HeapProfile profile = sample_profile();
  profile.kernel.peak_resident = Bytes{300'000'000};
  profile.unrecorded_programs = {
      {.path = "/other", .obstacle = PreloadObstacle::kOwnMalloc, .count = 1},
      {.path = profile.process.executable, .obstacle = PreloadObstacle::kStatic, .count = 1}};
  EXPECT_EQ(statement(profile, "rss-gap"),
            "RSS was 286.1 MiB at its peak, 190 MiB more than the program ever had in blocks.");
  const std::string seen =
      "RSS was 286.1 MiB at its peak, 190 MiB more than the blocks that heapspy saw.";
  profile.unrecorded_programs[1].obstacle = PreloadObstacle::kOwnMalloc;
  EXPECT_EQ(statement(profile, "rss-gap"), seen);
  profile.unrecorded_programs.clear();
  profile.ending.kind = model::ProfileEnding::Kind::kDetached;  // joined as it ran, perhaps
  EXPECT_EQ(statement(profile, "rss-gap"), seen);
  const std::vector<Finding> findings = find_in_heap(profile);
  EXPECT_TRUE(find(findings, "rss-gap")->advice.starts_with("Blocks that the program had before"));
  profile.ending.kind = model::ProfileEnding::Kind::kExited;
  profile.inheritance.state = model::Inheritance::State::kKnown;  // a child of fork
  EXPECT_EQ(statement(profile, "rss-gap"), seen);
}

TEST(HeapFindingsTest, SaysWhoResizesAgainAndAgain) {
  model::HeapProfile profile = sample_profile();
  EXPECT_EQ(statement(profile, "resized"), "");
  profile.stacks[2].totals.resized = 1000;
  EXPECT_EQ(statement(profile, "resized"),
            "10% of all allocations resize a block in libz.so.1+0x2000.");
}

TEST(HeapFindingsTest, WhatReallocFreesIsNotTemporary) {
  model::HeapProfile profile = sample_profile();
  profile.stacks[0].totals.resized = 7000;
  EXPECT_EQ(statement(profile, "temporary"), "");
  EXPECT_EQ(statement(profile, "resized"),
            "70% of all allocations resize a block in app::parse at x.cc:88.");
}

TEST(HeapFindingsTest, SaysThatBlocksAreSmall) {
  model::HeapProfile profile = sample_profile();
  profile.totals.peak = {1'000'000, 20'000'000};
  EXPECT_EQ(statement(profile, "small-blocks"),
            "At the peak there were 1,000,000 blocks, of 20 B on average.");
}

TEST(HeapFindingsTest, SaysThatOtherThreadsFree) {
  model::HeapProfile profile = sample_profile();
  profile.threads[2].frees_by_others = 4750;
  EXPECT_EQ(statement(profile, "remote-frees"),
            "50% of all frees are by another thread than the allocation.");
}

TEST(HeapFindingsTest, SaysWhereBytesComeAndGo) {
  model::HeapProfile profile = sample_profile();
  profile.totals.peak.bytes = 1'000'000;
  EXPECT_EQ(statement(profile, "churn"),
            "67% of all bytes that were allocated are from app::Cache::put at cache.cc:17.");
}

/// What the cache, and the library beside it, were given for what they had at the peak.
model::HeapProfile rounded_profile(std::uint64_t given_each) {
  model::HeapProfile profile = sample_profile();
  profile.usable = {.is_known = true, .totals = {}, .classes = {}, .stacks = {}};
  const auto add = [&](std::size_t stack, std::uint64_t each, std::uint64_t given_bytes) {
    const model::StackProfile& of = profile.stacks[stack];
    profile.usable.stacks.push_back({.node = of.node,
                                     .block_bytes = each,
                                     .peak = of.totals.peak,
                                     .peak_usable_bytes = given_bytes});
    profile.usable.totals.peak += of.totals.peak;
    profile.usable.totals.peak_usable_bytes += given_bytes;
  };
  add(1, 100'000, 1000 * given_each);
  add(2, 0, 1'200'000);
  return profile;
}

TEST(HeapFindingsTest, SaysWhoseBlocksAreRoundedUp) {
  const std::vector<Finding> findings = find_in_heap(rounded_profile(125'000));
  const Finding* finding = find(findings, "rounding");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->statement,
            "20% of what the allocator holds for app::Cache::put at cache.cc:17 is rounding: "
            "100,000 bytes are asked for, and 125,000 bytes given.");
  EXPECT_EQ(finding->evidence,
            "At the peak 1,000 blocks had 119.2 MiB, of which 95.4 MiB were asked for: 23.8 MiB "
            "beyond that, of 24.2 MiB in all blocks together.");
  EXPECT_EQ(std::ranges::count(findings, "rounding", &Finding::kind), 1)
      << "the library's rounding is large, but little beside the whole";
}

TEST(HeapFindingsTest, LittleRoundingIsNotWorthAWord) {
  EXPECT_EQ(statement(rounded_profile(110'000), "rounding"), "");
  EXPECT_EQ(statement(rounded_profile(100'000), "rounding"), "");
}

/// The cache's pages of which `touched_bytes` became resident.
model::HeapProfile touched_profile(std::uint64_t touched_bytes, std::uint64_t peak_resident) {
  model::HeapProfile profile = sample_profile();
  profile.first_touch = {.state = model::FirstTouch::State::kRecorded,
                         .refusal = "",
                         .owners = {{.node = profile.stacks[1].node,
                                     .touched = {touched_bytes / 4096, touched_bytes}}},
                         .touchers = {}};
  profile.kernel.peak_resident = Bytes{peak_resident};
  return profile;
}

TEST(HeapFindingsTest, SaysWhatWasNeverTouched) {
  const std::vector<Finding> findings = find_in_heap(touched_profile(3'000'000, 5'000'000));
  const Finding* finding = find(findings, "never-touched");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->statement,
            "app::Cache::put at cache.cc:17 had 95.4 MiB at the peak, and about 3% of it ever "
            "became resident.");
  EXPECT_EQ(finding->evidence,
            "92.5 MiB of the 95.4 MiB in 1,000 blocks were never touched; RSS was never above 4.8 "
            "MiB, where 96.1 MiB were live.");
  EXPECT_TRUE(statement(touched_profile(0, 5'000'000), "never-touched")
                  .ends_with("and almost nothing of it ever became resident."));
}

TEST(HeapFindingsTest, WhatRssDoesNotBearOutIsNotSaid) {
  // The kernel wrote into the blocks, for a system call: no page fault of the program's tells.
  EXPECT_EQ(statement(touched_profile(3'000'000, 99'000'000), "never-touched"), "");
  EXPECT_EQ(statement(touched_profile(3'000'000, 30'000'000), "never-touched"), "");
  EXPECT_EQ(statement(touched_profile(60'000'000, 70'000'000), "never-touched"), "")
      << "more than half of it is used";
}

TEST(HeapFindingsTest, WithoutFirstTouchesRssSaysWhatIsNotResident) {
  model::HeapProfile unasked = touched_profile(0, 5'000'000);
  unasked.first_touch = {};
  EXPECT_EQ(
      statement(unasked, "never-touched"),
      "app::Cache::put at cache.cc:17 had 95.4 MiB at the peak, of which at most 4.8 MiB were "
      "ever resident at once.");
  unasked.kernel.peak_resident = Bytes{80'000'000};  // may all have been the cache's
  EXPECT_EQ(statement(unasked, "never-touched"), "");
  unasked.kernel = {};
  EXPECT_EQ(statement(unasked, "never-touched"), "");
}

TEST(HeapFindingsTest, OfBlocksOfAFewPagesWhatNeighboursShareIsNotCounted) {
  const auto of_blocks = [](std::uint64_t count, std::uint64_t touched_bytes) {
    model::HeapProfile profile = touched_profile(touched_bytes, 5'000'000);
    profile.stacks[1].totals.peak.blocks = profile.totals.peak.blocks = count;
    return statement(profile, "never-touched");
  };
  EXPECT_NE(of_blocks(6'250, 3'000'000), "") << "16,000 bytes each";
  EXPECT_EQ(of_blocks(6'250, 30'000'000), "") << "a third, or with the pages at the ends half";
  EXPECT_EQ(of_blocks(25'000, 0), "") << "4,000 bytes each";
}

TEST(MemoryUseTest, StacksAreInTheOrderOfWhatWasRoundedUp) {
  const model::HeapProfile profile = rounded_profile(125'000);
  const std::vector<model::StackUsable> stacks = rounded_stacks(profile);
  ASSERT_EQ(stacks.size(), 2U);
  EXPECT_EQ(stacks[0].node, profile.stacks[1].node);
  EXPECT_EQ(rounded_stacks(rounded_profile(100'000)).size(), 1U) << "the cache's blocks fit";
}

TEST(MemoryUseTest, AStackIsSaidNotToBeTouchedWhereRssBearsItOut) {
  const model::HeapProfile profile = touched_profile(60'000'000, 62'000'000);
  const std::vector<UntouchedStack> stacks = untouched_stacks(profile);
  ASSERT_EQ(stacks.size(), 1U) << "blocks of few pages are not spoken of";
  EXPECT_EQ(stacks[0].node, profile.stacks[1].node);
  EXPECT_EQ(stacks[0].untouched_bytes(), 40'000'000U);
  EXPECT_TRUE(untouched_stacks(touched_profile(60'000'000, 90'000'000)).empty());
  EXPECT_TRUE(untouched_stacks(sample_profile()).empty());
}

TEST(HeapFindingsTest, LossesComeFirst) {
  const std::vector<Finding> findings = find_in_heap(hostile_profile());
  ASSERT_GE(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, "dropped-events");
  EXPECT_EQ(findings[1].kind, "damaged-file");
  EXPECT_TRUE(std::ranges::is_sorted(findings, std::greater<>(), &Finding::weight));
}

TEST(HeapFindingsTest, WritesDurations) {
  EXPECT_EQ(format_duration(0), "0 ns");
  EXPECT_EQ(format_duration(999), "999 ns");
  EXPECT_EQ(format_duration(999.7), "1 us");
  EXPECT_EQ(format_duration(1500), "1.5 us");
  EXPECT_EQ(format_duration(2e6), "2 ms");
  EXPECT_EQ(format_duration(340e6), "340 ms");
  EXPECT_EQ(format_duration(999.4e6), "999 ms");
  EXPECT_EQ(format_duration(999.6e6), "1.0 s");
  EXPECT_EQ(format_duration(12.54e9), "12.5 s");
  EXPECT_EQ(format_duration(59.99e9), "59.9 s");
  EXPECT_EQ(format_duration(80e9), "1 min 20 s");
  EXPECT_EQ(format_duration(3.6e12 * 2 + 60e9), "2 h 1 min");
}

}  // namespace
}  // namespace mini::explain
