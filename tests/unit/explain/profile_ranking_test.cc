#include "explain/profile_ranking.h"

#include <gtest/gtest.h>

#include "explain/call_tree.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

using Order = std::vector<std::size_t>;

TEST(ProfileRankingTest, StacksComeInTheOrderOfEachMeasure) {
  const model::HeapProfile profile = sample_profile();
  EXPECT_EQ(rank_stacks(profile, Measure::kPeak), (Order{1, 2}));
  EXPECT_EQ(rank_stacks(profile, Measure::kLeaked), (Order{1}));
  EXPECT_EQ(rank_stacks(profile, Measure::kAllocated), (Order{1, 2, 0}));
  EXPECT_EQ(rank_stacks(profile, Measure::kCalls), (Order{0, 1, 2}));
  EXPECT_EQ(rank_stacks(profile, Measure::kTemporary), (Order{0}));
  EXPECT_EQ(rank_stacks(profile, Measure::kLifetime), (Order{1, 2}));
}

TEST(ProfileRankingTest, BlocksOfNoBytesAreLeaksToo) {
  const model::HeapProfile profile = hostile_profile();
  EXPECT_EQ(rank_stacks(profile, Measure::kLeaked), (Order{0, 1, 2}));
}

void expect_sum(const std::vector<Group>& groups, const model::BlockTotals& totals) {
  model::BlockTotals sum;
  for (const Group& group : groups) {
    sum.allocated += group.totals.allocated;
    sum.live += group.totals.live;
    sum.peak += group.totals.peak;
  }
  EXPECT_EQ(sum.allocated, totals.allocated);
  EXPECT_EQ(sum.live, totals.live);
  EXPECT_EQ(sum.peak, totals.peak);
}

TEST(ProfileRankingTest, GroupsAddUp) {
  for (const model::HeapProfile& profile : {sample_profile(), hostile_profile()}) {
    for (int i = 0; i < kGroupingCount; ++i) {
      expect_sum(group_blocks(profile, static_cast<Grouping>(i), Measure::kPeak), profile.totals);
    }
  }
}

std::vector<std::string> names(Grouping grouping, Measure measure) {
  std::vector<std::string> names;
  for (const Group& group : group_blocks(sample_profile(), grouping, measure)) {
    names.push_back(group.name);
  }
  return names;
}

TEST(ProfileRankingTest, GroupsAreNamedByThePlace) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(Grouping::kFunction, Measure::kCalls),
            (Names{"app::parse", "app::Cache::put", "libz.so.1+0x2000"}));
  EXPECT_EQ(names(Grouping::kFile, Measure::kPeak),
            (Names{"/src/cache.cc", "unknown, in libz.so.1", "/src/x.cc"}));
  EXPECT_EQ(names(Grouping::kModule, Measure::kPeak),
            (Names{"/usr/bin/server", "/usr/lib/libz.so.1"}));
  EXPECT_EQ(names(Grouping::kThread, Measure::kCalls), (Names{"server (4711)", "worker (4712)"}));
  EXPECT_EQ(names(Grouping::kSize, Measure::kPeak), (Names{"16 to 31 B", "64 KiB to 128 KiB"}));
}

TEST(ProfileRankingTest, KeepsStacksWithAFrameThatMatches) {
  model::HeapProfile profile = sample_profile();
  keep_matching_stacks(profile,
                       [](const std::string& name) { return name == "/usr/lib/libz.so.1"; });
  ASSERT_EQ(profile.stacks.size(), 1U);
  EXPECT_EQ(sum_of_stacks(profile).allocated, (model::Amount{1000, 80'000'000}));
  keep_matching_stacks(profile, [](const std::string&) { return false; });
  EXPECT_TRUE(profile.stacks.empty());
}

// 3000 stacks have two frames in common.
TEST(ProfileRankingTest, AsksOfEachFrameOnce) {
  model::HeapProfile profile = crowded_profile();
  std::size_t names = 0;
  for (const model::ProfileFrame& frame : profile.frames) names += 1 + 2 * frame.lines.size();
  std::size_t asked = 0;
  keep_matching_stacks(profile, [&asked](const std::string& name) {
    ++asked;
    return name == "app::intern(char const*)";
  });
  EXPECT_EQ(profile.stacks.size(), 3000U);
  EXPECT_LE(asked, names);
}

const CallTreeNode& child(const CallTree& tree, const CallTreeNode& node, std::size_t i) {
  return tree.nodes[node.children.at(i)];
}

TEST(CallTreeTest, CalleesGoFromTheBeginningInwards) {
  const CallTree tree = make_call_tree(sample_profile(), Measure::kPeak, TreeDirection::kCallees);
  EXPECT_EQ(tree.nodes[0].amount, 100'800'000U);
  const CallTreeNode& main = child(tree, tree.nodes[0], 0);
  EXPECT_EQ(main.label, "main at main.cc:12");
  EXPECT_EQ(main.amount, 100'800'000U);
  ASSERT_EQ(main.children.size(), 2U);
  EXPECT_EQ(child(tree, main, 0).label, "app::load at load.cc:40");
  EXPECT_EQ(child(tree, main, 1).label, "libz.so.1+0x2000");
  EXPECT_EQ(child(tree, main, 1).amount, 800'000U);
}

TEST(CallTreeTest, CallersGoFromThePlaceOutwards) {
  const CallTree tree = make_call_tree(sample_profile(), Measure::kCalls, TreeDirection::kCallers);
  ASSERT_EQ(tree.nodes[0].children.size(), 3U);
  const CallTreeNode& parse = child(tree, tree.nodes[0], 0);
  EXPECT_EQ(parse.label, "app::parse at x.cc:88");
  EXPECT_EQ(parse.amount, 7400U);
  EXPECT_EQ(child(tree, parse, 0).label, "app::load_line at load.cc:21");
}

using Labels = std::vector<std::string>;

/// Of the first child of each, from the root's on.
Labels first_path(const CallTree& tree) {
  Labels labels;
  for (const CallTreeNode* node = &tree.nodes[0]; !node->children.empty();) {
    node = &child(tree, *node, 0);
    labels.push_back(node->label);
  }
  return labels;
}

TEST(CallTreeTest, ByAGroupingNeighboursThatAreTheSameAreOneNode) {
  const auto path = [](TreeDirection direction, Grouping by) {
    return first_path(make_call_tree(sample_profile(), Measure::kCalls, direction, by));
  };
  EXPECT_EQ(path(TreeDirection::kCallees, Grouping::kFile),
            (Labels{"/src/main.cc", "/src/load.cc", "/src/x.cc",
                    "/usr/include/c++/12/bits/vector.tcc", "unknown, in libc.so.6"}));
  EXPECT_EQ(path(TreeDirection::kCallees, Grouping::kModule),
            (Labels{"/usr/bin/server", "/usr/lib/libc.so.6"}));
  EXPECT_EQ(path(TreeDirection::kCallers, Grouping::kModule), (Labels{"/usr/bin/server"}));
  EXPECT_EQ(path(TreeDirection::kCallers, Grouping::kFunction),
            (Labels{"app::parse", "app::load_line", "app::load", "main"}));
}

TEST(CallTreeTest, DividedStacksAreBelowTheirParts) {
  model::HeapProfile profile = sample_profile();
  profile.division = model::StackDivision::kThread;
  for (std::size_t i = 0; i < 3; ++i) profile.stacks[i].part = i == 1 ? 2 : 1;
  CallTree tree =
      make_call_tree(profile, Measure::kCalls, TreeDirection::kCallers, Grouping::kThread);
  ASSERT_EQ(tree.nodes[0].children.size(), 2U);
  EXPECT_EQ(child(tree, tree.nodes[0], 0).label, "server (4711)");
  EXPECT_EQ(child(tree, tree.nodes[0], 0).amount, 8400U);
  EXPECT_EQ(child(tree, child(tree, tree.nodes[0], 0), 0).label, "app::parse at x.cc:88");
  profile.division = model::StackDivision::kSize;
  for (std::size_t i = 0; i < 3; ++i) profile.stacks[i].part = i == 0 ? 0 : 1;
  tree = make_call_tree(profile, Measure::kPeak, TreeDirection::kCallees, Grouping::kSize);
  EXPECT_EQ(first_path(tree),
            (Labels{"64 KiB to 128 KiB", "main at main.cc:12", "app::load at load.cc:40",
                    "app::Cache::put at cache.cc:17"}));
  EXPECT_EQ(tree.nodes[0].children.size(), 1U);
}

TEST(ProfileRankingTest, DividedStacksCountOnce) {
  model::HeapProfile profile = sample_profile();
  profile.division = model::StackDivision::kThread;
  profile.stacks.push_back(profile.stacks[0]);
  profile.stacks.back().part = 2;
  EXPECT_EQ(count_stacks(profile), 3U);
}

TEST(CallTreeTest, ADeepStackIsCut) {
  const CallTree tree = make_call_tree(hostile_profile(), Measure::kPeak, TreeDirection::kCallees);
  EXPECT_LT(tree.nodes.size(), 1000U);
}

}  // namespace
}  // namespace mini::explain
