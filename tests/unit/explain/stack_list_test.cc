#include "explain/stack_list.h"

#include <gtest/gtest.h>

#include "explain/profile_frames.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

constexpr Measure kAll[] = {Measure::kPeak, Measure::kLeaked, Measure::kAllocated, Measure::kCalls,
                            Measure::kTemporary};

model::BlockTotals sum_of(const std::vector<Listed<model::StackProfile>>& list) {
  model::BlockTotals sum;
  for (const auto& one : list) sum += one.stack.totals;
  return sum;
}

TEST(StackListTest, AShortListHasEveryStackByItself) {
  const model::HeapProfile profile = sample_profile();
  const auto list = list_stacks(profile, Measure::kCalls, kAll);
  const auto order = rank_stacks(profile, Measure::kCalls);
  ASSERT_EQ(list.size(), order.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].stack.node, profile.stacks[order[i]].node);
    EXPECT_EQ(list[i].merged_stacks, 0U);
  }
}

TEST(StackListTest, ALongOneAddsUpToTheSame) {
  const model::HeapProfile profile = crowded_profile();
  for (const Measure measure : kAll) {
    const auto list = list_stacks(profile, measure, kAll);
    const model::BlockTotals sum = sum_of(list);
    EXPECT_LT(list.size(), 1010U) << measure_name(measure);
    EXPECT_EQ(measure_of(sum, measure), measure_of(profile.totals, measure));
  }
  EXPECT_EQ(sum_of(list_stacks(profile, Measure::kCalls, kAll)).live, profile.totals.live);
}

TEST(StackListTest, WhatMattersByAnyMeasureStandsByItself) {
  const model::HeapProfile profile = crowded_profile();
  const auto list = list_stacks(profile, Measure::kCalls, kAll, {.first = 1, .share = 0.001});
  ASSERT_EQ(list.size(), 4U);
  // The parser has the most calls; the interner's callers have 6000 together.
  EXPECT_EQ(list[0].merged_stacks, 0U);
  EXPECT_EQ(list[1].merged_stacks, 3000U);
  EXPECT_EQ(list[1].stack.totals.allocated, (model::Amount{6000, 144'000}));
  EXPECT_EQ(describe_place(stack_view(profile, list[1].stack.node)), "app::intern at intern.cc:9");
  EXPECT_EQ(list[2].merged_stacks, 0U);
  EXPECT_EQ(list[3].merged_stacks, 0U);
}

TEST(StackListTest, StacksWithoutFramesAreMergedToo) {
  model::HeapProfile profile = crowded_profile();
  for (model::StackProfile& stack : profile.stacks) stack.node = 0;
  const auto list = list_stacks(profile, Measure::kLeaked, kAll, {.first = 0, .share = 2});
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].merged_stacks, rank_stacks(profile, Measure::kLeaked).size());
}

}  // namespace
}  // namespace mini::explain
