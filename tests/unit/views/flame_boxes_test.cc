#include "views/flame_boxes.h"

#include <gtest/gtest.h>

#include "../explain/sample_profile.h"

namespace mini::views {
namespace {

using explain::Measure;

std::vector<std::string> names(const FlameGraph& graph, const FunctionTable& table) {
  std::vector<std::string> out;
  for (const FlameBox& box : graph.boxes) {
    out.push_back(box.level == 0 ? "all" : table.functions()[box.function].name);
  }
  return out;
}

TEST(FlameBoxesTest, AreAsWideAsWhatTheyStandForTheWidestLeft) {
  FunctionTable table;
  const FlameGraph graph = make_flame_graph(explain::sample_profile(), Measure::kPeak, table, {});
  EXPECT_EQ(names(graph, table),
            (std::vector<std::string>{"all", "main", "app::load(char const*)",
                                      "app::Cache::put(int)", "libz.so.1+0x2000"}));
  EXPECT_EQ(graph.levels, 4U);
  EXPECT_EQ(graph.boxes[0].amount, 100'800'000U);
  EXPECT_EQ(graph.boxes[1].amount, 100'800'000U);
  EXPECT_EQ(graph.boxes[4].begin, 100'000'000U);
  EXPECT_EQ(graph.boxes[4].amount, 800'000U);
  EXPECT_EQ(graph.boxes[4].level, 2U);
}

/// No box sticks out of the one that it stands on.
void expect_nested(const FlameGraph& graph) {
  std::vector<FlameBox> under;
  for (const FlameBox& box : graph.boxes) {
    under.resize(box.level);
    if (box.level > 0) {
      ASSERT_GE(box.begin, under.back().begin);
      ASSERT_LE(box.begin + box.amount, under.back().begin + under.back().amount);
    }
    under.push_back(box);
  }
}

TEST(FlameBoxesTest, LimitsHold) {
  const model::HeapProfile profile = explain::hostile_profile();
  FunctionTable table;
  const FlameGraph all = make_flame_graph(profile, Measure::kCalls, table, {});
  EXPECT_EQ(all.levels, 1000U);
  EXPECT_EQ(all.boxes.size(), 1002U);  // the root, the deep stack, a wide one and the empty one
  expect_nested(all);
  const FlameGraph few =
      make_flame_graph(profile, Measure::kCalls, table, {.most_levels = 4, .most_boxes = 5});
  EXPECT_EQ(few.levels, 4U);
  EXPECT_EQ(names(few, table).size(), 5U);
  expect_nested(few);
  const FlameGraph wide =
      make_flame_graph(profile, Measure::kCalls, table, {.most_levels = 4, .least_part = 0.3});
  EXPECT_EQ(wide.boxes.size(), 5U);  // the empty stack is a seventh
}

TEST(FlameBoxesTest, OfNothingIsTheRoot) {
  FunctionTable table;
  const FlameGraph graph =
      make_flame_graph(explain::hostile_profile(), Measure::kTemporary, table, {});
  ASSERT_EQ(graph.boxes.size(), 1U);
  EXPECT_EQ(graph.boxes[0].amount, 0U);
}

}  // namespace
}  // namespace mini::views
