#include "explain/diff_findings.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "sample_profile.h"

namespace mini::explain {
namespace {

using model::HeapProfile;

std::vector<Finding> found(const HeapProfile& before, const HeapProfile& after) {
  return find_in_diff(diff_profiles(before, after));
}

const Finding* of_kind(const std::vector<Finding>& findings, std::string_view kind) {
  const auto one = std::ranges::find(findings, kind, &Finding::kind);
  return one == findings.end() ? nullptr : &*one;
}

TEST(DiffFindingsTest, SaysWhatGrewByHowMuchAndWhere) {
  const auto findings = found(sample_profile(), changed_profile());
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind, "leaked-growth");
  EXPECT_EQ(findings[0].statement,
            "Bytes that are never freed grew by 104.9 MiB, from 47.7 MiB to 152.6 MiB (+220%).");
  EXPECT_EQ(findings[0].evidence,
            "100% of it in app::Cache::put at cache.cc:19: from 47.7 MiB to 152.6 MiB.");
  const Finding* calls = of_kind(findings, "calls-shrinkage");
  ASSERT_NE(calls, nullptr);
  EXPECT_EQ(calls->statement, "Allocations shrank by 4,698, from 10,000 to 5,302 (-47%).");
  EXPECT_EQ(calls->evidence, "79% of it in app::parse at x.cc:90: from 7,400 to 3,700.");
}

TEST(DiffFindingsTest, AFunctionWithSeveralPlacesIsNamedWithoutALine) {
  HeapProfile after = changed_profile();
  // A second call of the allocator, in another line of the function that has the blocks.
  model::StackNode other = after.nodes.at(after.stacks[1].node);
  after.frames.push_back(after.frames.at(other.frame));
  for (model::SourceLine& line : after.frames.back().lines) line.line += 6;
  other.frame = static_cast<std::uint32_t>(after.frames.size() - 1);
  after.nodes.push_back(other);
  after.stacks.push_back(after.stacks[1]);
  after.stacks.back().node = static_cast<std::uint32_t>(after.nodes.size() - 1);
  after.stacks.back().totals = {};
  const auto findings = found(sample_profile(), after);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].evidence,
            "100% of it in app::Cache::put at cache.cc: from 47.7 MiB to 152.6 MiB.");
}

TEST(DiffFindingsTest, OfAPlaceWithoutALineTheNameStaysWhole) {
  // Its calls differ in lines alone, which are not known of all.
  const auto with_calls_in_two_lines = [](HeapProfile profile, const std::string& path) {
    profile.modules[1].path = path;
    model::StackNode other = profile.nodes.at(profile.stacks[1].node);
    model::ProfileFrame frame = profile.frames.at(other.frame);
    for (model::SourceLine& line : profile.frames[other.frame].lines) line = {line.function};
    profile.frames.push_back(frame);
    other.frame = static_cast<std::uint32_t>(profile.frames.size() - 1);
    profile.nodes.push_back(other);
    profile.stacks.push_back(profile.stacks[1]);
    profile.stacks.back().node = static_cast<std::uint32_t>(profile.nodes.size() - 1);
    profile.stacks.back().totals = {};
    return profile;
  };
  const auto findings = found(with_calls_in_two_lines(sample_profile(), "/opt/tool:12"),
                              with_calls_in_two_lines(changed_profile(), "/opt/tool:12"));
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].evidence,
            "100% of it in app::Cache::put in tool:12: from 47.7 MiB to 152.6 MiB.");
}

TEST(DiffFindingsTest, NotAllIsGoneWhereSomethingIsLeft) {
  HeapProfile after = sample_profile();
  after.totals.live = {1, 50'000};
  after.stacks[1].totals.live = after.totals.live;
  const auto findings = found(sample_profile(), after);
  const Finding* less = of_kind(findings, "leaked-shrinkage");
  ASSERT_NE(less, nullptr);
  EXPECT_TRUE(less->statement.ends_with("from 47.7 MiB to 48.8 KiB (-99%).")) << less->statement;
  after.totals.live = after.stacks[1].totals.live = {};
  const auto gone = found(sample_profile(), after);
  EXPECT_TRUE(of_kind(gone, "leaked-shrinkage")->statement.ends_with("to 0 B (-100%)."));
}

TEST(DiffFindingsTest, SaysWhatIsNewAndWhatIsGone) {
  HeapProfile before = sample_profile();
  before.stacks.erase(before.stacks.begin() + 1);
  before.totals.live = {};
  const Finding* grown = nullptr;
  const auto findings = found(before, sample_profile());
  ASSERT_NE(grown = of_kind(findings, "leaked-growth"), nullptr);
  EXPECT_EQ(grown->statement, "Bytes that are never freed grew by 47.7 MiB, from 0 B to 47.7 MiB.");
  EXPECT_NE(grown->evidence.find("47.7 MiB where there was nothing before"), std::string::npos);
  const auto gone = found(sample_profile(), before);
  ASSERT_NE(of_kind(gone, "leaked-shrinkage"), nullptr);
  EXPECT_NE(of_kind(gone, "leaked-shrinkage")->evidence.find("47.7 MiB before and nothing now"),
            std::string::npos);
}

TEST(DiffFindingsTest, LittleBesideTheWholeComesLastAndIsCalledSo) {
  HeapProfile before = sample_profile();
  before.stacks[1].totals.live = before.totals.live = {};
  HeapProfile after = before;
  after.stacks[1].totals.live = after.totals.live = {1, 6000};
  after.stacks[2].totals.peak.bytes += 20'000'000;
  after.totals.peak.bytes += 20'000'000;
  const auto findings = found(before, after);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, "peak-growth");
  EXPECT_FALSE(findings[0].evidence.contains("little"));
  EXPECT_EQ(findings[1].statement,
            "Bytes that are never freed grew by 5.9 KiB, from 0 B to 5.9 KiB.");
  EXPECT_TRUE(findings[1].evidence.ends_with(" It is little: under 1% of the peak of live bytes."));
}

TEST(DiffFindingsTest, WhatARecordingThatSamplesDoesNotKnowDidNotShrink) {
  HeapProfile after = sample_profile();
  after.totals.temporary = {};
  for (model::StackProfile& stack : after.stacks) stack.totals.temporary = {};
  EXPECT_NE(of_kind(found(sample_profile(), after), "temporary-shrinkage"), nullptr);
  after.is_estimate = true;
  EXPECT_EQ(of_kind(found(sample_profile(), after), "temporary-shrinkage"), nullptr);
}

TEST(DiffFindingsTest, APlaceThatOutgrowsTheWholeIsSaid) {
  HeapProfile after = sample_profile();
  after.stacks[1].totals.allocated.bytes += 10'000'000;
  after.stacks[2].totals.allocated.bytes -= 4'000'000;
  after.totals.allocated.bytes += 6'000'000;
  const auto findings = found(sample_profile(), after);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].evidence,
            "app::Cache::put at cache.cc:17 alone grew by 9.5 MiB, from 152.6 MiB to 162.1 MiB; "
            "other places make up for some of it.");
}

TEST(DiffFindingsTest, NothingIsSaidOfWhatIsTheSame) {
  EXPECT_TRUE(found(sample_profile(), sample_profile()).empty());
  HeapProfile after = sample_profile();
  after.totals.allocated.bytes += 1'000'000;  // 0.4%
  EXPECT_TRUE(found(sample_profile(), after).empty());
}

TEST(DiffFindingsTest, ConditionsThatDifferAreSaid) {
  HeapProfile after = sample_profile();
  after.losses.dropped_events = 1;
  after.process.sample_bytes = 524288;
  after.duration_ns *= 3;
  const auto findings = found(sample_profile(), after);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].kind, "incomplete");
  EXPECT_TRUE(findings[0].statement.starts_with("The recording after is incomplete"));
  EXPECT_EQ(findings[1].kind, "other-sampling");
  EXPECT_EQ(findings[2].kind, "other-duration");
}

}  // namespace
}  // namespace mini::explain
