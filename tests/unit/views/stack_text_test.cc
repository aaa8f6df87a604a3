#include "views/stack_text.h"

#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mini::views {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Call {
  const char* function;
  std::uint64_t address = 0;
  std::uint32_t line = 0;
};

/// Stacks of made-up calls, innermost first; the place is the last but one.
class StackTextTest : public testing::Test {
 protected:
  explain::ProfileStackView stack_of(const std::vector<Call>& calls) {
    explain::ProfileStackView stack{.frames = {}, .place = calls.size() - 2};
    for (const Call& call : calls) {
      lines_.push_back({.function = call.function, .file = "m.c", .line = call.line});
      frames_.push_back({.module = 1, .address = call.address, .lines = {}});
      stack.frames.push_back(
          {.module = &module_, .frame = &frames_.back(), .line = &lines_.back()});
    }
    return stack;
  }

 private:
  const model::ProfileModule module_{.path = "/bin/m", .build_id = ""};
  std::deque<model::ProfileFrame> frames_;
  std::deque<model::SourceLine> lines_;
};

TEST_F(StackTextTest, ThoseThatCallTheSameAreToldApartFurtherIn) {
  const auto texts = describe_stacks(
      {stack_of({{"w"}, {"a"}, {"x"}, {"place"}, {"main"}}),
       stack_of({{"w"}, {"b"}, {"x"}, {"place"}, {"main"}}),
       stack_of({{"w"}, {"b"}, {"y"}, {"place"}, {"main"}}), stack_of({{"x"}, {"place"}, {"main"}}),
       stack_of({{"w"}, {"y"}, {"other"}, {"main"}})},
      8);
  EXPECT_THAT(texts[0].callees, ElementsAre("x in m", "a in m"));
  EXPECT_THAT(texts[1].callees, ElementsAre("x in m", "b in m"));
  EXPECT_THAT(texts[2].callees, ElementsAre("y in m"));
  EXPECT_THAT(texts[3].callees, ElementsAre("x in m"));
  EXPECT_THAT(texts[4].callees, IsEmpty());
}

TEST_F(StackTextTest, NamesAreEnoughWhereTheyDiffer) {
  const auto texts = describe_stacks_exactly(
      {stack_of({{"a", 1}, {"main", 2}}), stack_of({{"b", 3}, {"main", 4}})}, 8);
  EXPECT_EQ(texts[0].place, "a in m");
  EXPECT_THAT(texts[0].callers, ElementsAre("main in m"));
}

TEST_F(StackTextTest, TwoCallsInOneFunctionAreToldApartByTheirAddresses) {
  const auto texts = describe_stacks_exactly(
      {stack_of({{"place", 0x10}, {"main", 0x50}}), stack_of({{"place", 0x20}, {"main", 0x50}}),
       stack_of({{"place", 0x20}, {"main", 0x60}})},
      8);
  EXPECT_EQ(texts[0].place, "place in m+0x10");
  EXPECT_EQ(texts[1].place, "place in m+0x20");
  EXPECT_THAT(texts[1].callers, ElementsAre("main in m+0x50"));
  EXPECT_THAT(texts[2].callers, ElementsAre("main in m+0x60"));
  EXPECT_THAT(texts[2].callees, IsEmpty());
}

TEST_F(StackTextTest, TwoCallsInOneLineAreToldApartByTheirAddresses) {
  const auto texts = describe_stacks_exactly(
      {stack_of({{"place", 0x10, 7}, {"main", 0x50}}), stack_of({{"place", 0x20, 7}, {"main"}})},
      0);
  EXPECT_EQ(texts[0].place, "place at m.c:7 (m+0x10)");
  EXPECT_EQ(texts[1].place, "place at m.c:7 (m+0x20)");
  EXPECT_THAT(texts[1].callers, ElementsAre("1 more"));
}

TEST_F(StackTextTest, CallsFurtherInAreToldApartWhereThePlacesAreTheSame) {
  const auto texts =
      describe_stacks_exactly({stack_of({{"w", 1}, {"x", 0x10}, {"place", 0x30}, {"main", 0x50}}),
                               stack_of({{"w", 1}, {"x", 0x20}, {"place", 0x30}, {"main", 0x50}})},
                              8);
  EXPECT_EQ(texts[0].place, "place in m");
  EXPECT_THAT(texts[0].callees, ElementsAre("x in m+0x10"));
  EXPECT_THAT(texts[1].callees, ElementsAre("x in m+0x20"));
}

TEST_F(StackTextTest, StacksOfNothingAreLeftAsTheyAre) {
  const auto texts = describe_stacks_exactly({{}, {}}, 8);
  EXPECT_EQ(texts[0].place, "no stack");
  EXPECT_EQ(texts[1].place, "no stack");
}

}  // namespace
}  // namespace mini::views
