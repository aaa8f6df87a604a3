// Stacks without the operator new that they begin with.
#include "sources/asking_stacks.h"

#include <gtest/gtest.h>

namespace mini::sources {
namespace {

using model::HeapProfile;

model::ProfileFrame frame(std::vector<std::string> functions) {
  model::ProfileFrame frame;
  for (std::string& function : functions)
    frame.lines.push_back({std::move(function), "", 0, false});
  return frame;
}

/// main, main > load, and operator new called by each and by nobody.
class AskingStacksTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kMain = 1;
  static constexpr std::uint32_t kLoad = 2;
  static constexpr std::uint32_t kNewOfLoad = 3;
  static constexpr std::uint32_t kArrayNewOfLoad = 4;  // operator new[], operator new
  static constexpr std::uint32_t kNewOfNobody = 6;
  static constexpr std::uint32_t kRefill = 7;  // what an operator new of the program's calls
  static constexpr std::uint32_t kInlined = 8;

  AskingStacksTest() {
    profile_.frames = {frame({}),
                       frame({"main"}),
                       frame({"load(int)"}),
                       frame({"operator new(unsigned long)"}),
                       frame({"operator new[](unsigned long)"}),
                       frame({"refill()"}),
                       frame({"operator new(unsigned long)", "parse()"})};
    profile_.nodes = {{0, 0}, {0, 1}, {1, 2}, {2, 3}, {5, 3}, {2, 4}, {0, 3}, {3, 5}, {1, 6}};
  }
  void add(std::uint32_t node, std::uint64_t bytes, std::uint64_t first_ns) {
    model::StackProfile stack;
    stack.node = node;
    stack.totals.allocated = {1, bytes};
    stack.totals.peak = {1, bytes};
    stack.first_ns = first_ns;
    stack.last_ns = first_ns + 1;
    profile_.stacks.push_back(stack);
  }

  HeapProfile profile_;
};

TEST_F(AskingStacksTest, StacksThatAreTheSameBecomeOne) {
  add(kNewOfLoad, 100, 5);
  add(kMain, 10, 1);
  add(kLoad, 1000, 3);
  add(kArrayNewOfLoad, 10000, 9);
  profile_.usable.stacks = {{kNewOfLoad, 100, {1, 100}, 112}, {kLoad, 1000, {1, 1000}, 1008}};
  profile_.first_touch.owners = {{kNewOfLoad, {1, 4096}}, {kLoad, {2, 8192}}};
  profile_.inheritance.stacks = {{kNewOfLoad, {3, 30}, {1, 10}}, {kLoad, {5, 50}, {2, 20}}};
  leave_out_operator_new(profile_);
  ASSERT_EQ(profile_.stacks.size(), 2U);
  const model::StackProfile& load = profile_.stacks[0];
  EXPECT_EQ(load.node, kLoad);
  EXPECT_EQ(load.totals.allocated, (model::Amount{3, 11100}));
  EXPECT_EQ(load.totals.peak, (model::Amount{3, 11100}));
  EXPECT_EQ(load.first_ns, 3U);
  EXPECT_EQ(load.last_ns, 10U);
  EXPECT_EQ(profile_.stacks[1].node, kMain);
  ASSERT_EQ(profile_.usable.stacks.size(), 1U);
  EXPECT_EQ(profile_.usable.stacks[0].block_bytes, 0U);
  EXPECT_EQ(profile_.usable.stacks[0].peak, (model::Amount{2, 1100}));
  EXPECT_EQ(profile_.usable.stacks[0].peak_usable_bytes, 1120U);
  ASSERT_EQ(profile_.first_touch.owners.size(), 1U);
  EXPECT_EQ(profile_.first_touch.owners[0].touched, (model::Amount{3, 12288}));
  ASSERT_EQ(profile_.inheritance.stacks.size(), 1U);
  EXPECT_EQ(profile_.inheritance.stacks[0].freed, (model::Amount{3, 30}));
}

TEST_F(AskingStacksTest, WhatIsNotTheBeginningOfAStackStays) {
  add(kNewOfNobody, 1, 1);
  add(kRefill, 2, 1);
  add(kInlined, 3, 1);
  leave_out_operator_new(profile_);
  ASSERT_EQ(profile_.stacks.size(), 3U);
  EXPECT_EQ(profile_.stacks[0].node, kNewOfNobody);
  EXPECT_EQ(profile_.stacks[1].node, kRefill);
  EXPECT_EQ(profile_.stacks[2].node, kInlined);
}

}  // namespace
}  // namespace mini::sources
