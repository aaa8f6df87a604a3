#include "explain/profile_diff.h"

#include <gtest/gtest.h>

#include "explain/profile_frames.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

using model::Amount;
using model::BlockTotals;
using model::HeapProfile;

/// The row of the place, by its name in either recording.
const StackDiff& row(const ProfileDiff& diff, std::string_view place) {
  for (const StackDiff& stack : diff.stacks) {
    const auto view = stack.is_after ? stack_view(*diff.after, stack.after_node)
                                     : stack_view(*diff.before, stack.before_node);
    if (describe_place(view) == place) return stack;
  }
  ADD_FAILURE() << "no stack of " << place;
  return diff.stacks.front();
}

TEST(ProfileDiffTest, StacksMatchByNamesWhateverTheirLinesAndAddresses) {
  const HeapProfile before = sample_profile();
  const HeapProfile after = changed_profile();
  const ProfileDiff diff = diff_profiles(before, after);
  ASSERT_EQ(diff.stacks.size(), 4U);
  const StackDiff& cache = row(diff, "app::Cache::put at cache.cc:19");
  EXPECT_TRUE(cache.is_before && cache.is_after);
  EXPECT_EQ(cache.before.live, (Amount{500, 50'000'000}));
  EXPECT_EQ(cache.after.live, (Amount{1600, 160'000'000}));
  // Inlined before, a clone of its own now.
  const StackDiff& parse = row(diff, "app::parse at x.cc:90");
  EXPECT_TRUE(parse.is_before && parse.is_after);
  EXPECT_EQ(parse.before.allocated.blocks, 7400U);
  EXPECT_FALSE(row(diff, "libz.so.1+0x2000").is_after);
  EXPECT_FALSE(row(diff, "app::report at report.cc:7").is_before);
}

TEST(ProfileDiffTest, ARecordingDoesNotDifferFromItself) {
  for (const HeapProfile& profile : {sample_profile(), changed_profile(), hostile_profile()}) {
    const ProfileDiff diff = diff_profiles(profile, profile);
    EXPECT_EQ(diff.stacks.size(), profile.stacks.size());
    for (int i = 0; i < kMeasureCount; ++i) {
      const auto measure = static_cast<Measure>(i);
      EXPECT_TRUE(rank_differences(diff, measure, true).empty());
      EXPECT_TRUE(rank_differences(diff, measure, false).empty());
    }
  }
}

TEST(ProfileDiffTest, StacksAndGroupsAddUpToBothTotals) {
  const HeapProfile profiles[] = {sample_profile(), changed_profile(), hostile_profile()};
  for (const HeapProfile& before : profiles) {
    for (const HeapProfile& after : profiles) {
      const ProfileDiff diff = diff_profiles(before, after);
      BeforeAndAfter sum;
      for (const StackDiff& stack : diff.stacks) {
        sum.before += stack.before;
        sum.after += stack.after;
      }
      EXPECT_EQ(sum.before.allocated, before.totals.allocated);
      EXPECT_EQ(sum.after.live, after.totals.live);
      for (const auto grouping : {Grouping::kFunction, Grouping::kFile, Grouping::kModule}) {
        BeforeAndAfter groups;
        for (const GroupDiff& group : diff_groups(diff, grouping, Measure::kPeak)) {
          groups.before += group.before;
          groups.after += group.after;
        }
        EXPECT_EQ(groups.before.peak, before.totals.peak);
        EXPECT_EQ(groups.after.temporary, after.totals.temporary);
      }
    }
  }
}

TEST(ProfileDiffTest, RanksWhatGrewAndWhatShrank) {
  const HeapProfile before = sample_profile();
  const HeapProfile after = changed_profile();
  const ProfileDiff diff = diff_profiles(before, after);
  const auto growths = rank_differences(diff, Measure::kPeak, true);
  ASSERT_EQ(growths.size(), 1U);
  EXPECT_EQ(difference(diff.stacks[growths[0]], Measure::kPeak), (Difference{true, 60'000'000}));
  const auto fewer = rank_differences(diff, Measure::kCalls, false);
  ASSERT_EQ(fewer.size(), 2U);
  EXPECT_EQ(difference(diff.stacks[fewer[0]], Measure::kCalls), (Difference{false, 3700}));
  EXPECT_EQ(difference(diff.stacks[fewer[1]], Measure::kCalls), (Difference{false, 1000}));
}

std::vector<std::string> names(const std::vector<GroupDiff>& groups) {
  std::vector<std::string> names;
  for (const GroupDiff& group : groups) names.push_back(group.name);
  return names;
}

TEST(ProfileDiffTest, TheProgramsOwnFileMayHaveAnotherName) {
  const HeapProfile before = sample_profile();
  const HeapProfile after = changed_profile();
  const ProfileDiff diff = diff_profiles(before, after);
  const auto modules = diff_groups(diff, Grouping::kModule, Measure::kAllocated);
  EXPECT_EQ(names(modules), (std::vector<std::string>{"libz.so.1", "server-2"}));
  EXPECT_EQ(modules[1].before.allocated.blocks, 9000U);
}

TEST(ProfileDiffTest, FilesMayHaveMovedWithTheirTree) {
  const HeapProfile before = sample_profile();
  HeapProfile after = changed_profile();
  for (model::ProfileFrame& frame : after.frames) {
    for (model::SourceLine& line : frame.lines) line.file.insert(0, "/home/new");
  }
  const ProfileDiff diff = diff_profiles(before, after);
  const auto files = diff_groups(diff, Grouping::kFile, Measure::kPeak);
  EXPECT_EQ(names(files),
            (std::vector<std::string>{"/home/new/src/cache.cc", "unknown, in libz.so.1",
                                      "/home/new/src/report.cc", "/home/new/src/x.cc"}));
  EXPECT_EQ(files[0].before.peak.bytes, 100'000'000U);
}

TEST(ProfileDiffTest, CodeWithoutNamesMatchesByModuleAndOffset) {
  HeapProfile before = sample_profile();
  HeapProfile after = sample_profile();
  after.modules[2].path = "/opt/elsewhere/libz.so.1";
  EXPECT_EQ(diff_profiles(before, after).stacks.size(), 3U);
  for (model::ProfileFrame& frame : after.frames) {
    if (frame.module == 2) frame.address += 16;
  }
  EXPECT_EQ(diff_profiles(before, after).stacks.size(), 4U);
  // Code of no file is somewhere else in each run.
  for (HeapProfile* profile : {&before, &after}) {
    for (model::ProfileFrame& frame : profile->frames) {
      if (frame.module == 2) frame.module = 0;
    }
  }
  EXPECT_EQ(diff_profiles(before, after).stacks.size(), 3U);
}

TEST(ProfileDiffTest, WhatACompilerAppendsToAClonesNameDoesNotCount) {
  EXPECT_EQ(without_clone_suffix("f(int) [clone .cold]"), "f(int)");
  EXPECT_EQ(without_clone_suffix("f(int) [clone .isra.0] [clone .cold]"), "f(int)");
  EXPECT_EQ(without_clone_suffix("parse.constprop.0.isra.1"), "parse");
  EXPECT_EQ(without_clone_suffix("parse.cold"), "parse");
  EXPECT_EQ(without_clone_suffix("parse.c"), "parse.c");
  EXPECT_EQ(without_clone_suffix(".cold"), ".cold");
  EXPECT_EQ(without_clone_suffix(""), "");
}

}  // namespace
}  // namespace mini::explain
