// Stacks get numbers in turn, the same the same one, beside a map that says so too.
#include "recording/stack_table.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <utility>

namespace mini::recording {
namespace {

TEST(StackTable, GivesTheSameNumberToTheSameStackOnly) {
  StackTable table;
  std::map<std::pair<StackNumber, FrameNumber>, StackNumber> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 50'000; ++i) {
    const StackNumber caller = std::uniform_int_distribution<StackNumber>(0, table.count())(random);
    const FrameNumber frame = std::uniform_int_distribution<FrameNumber>(1, 40)(random);
    const auto [known, is_new] = expected.try_emplace({caller, frame}, table.count() + 1);
    ASSERT_EQ(table.find_or_add(caller, frame), known->second);
    ASSERT_EQ(table.count(), expected.size());
  }
  for (const auto& [stack, number] : expected) {
    EXPECT_EQ(table[number].caller, stack.first);
    EXPECT_EQ(table[number].frame, stack.second);
  }
}

// Their places differ in the last bits that are looked at only.
TEST(StackTable, TellsFramesApartThatHaveTheirLowBitsInCommon) {
  StackTable table;
  const StackNumber caller = table.find_or_add(0, 7);
  std::map<FrameNumber, StackNumber> expected;
  for (std::uint32_t high = 0; high < 4; ++high) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      const FrameNumber frame = (FrameNumber{1} << bit) | (high << 30U);
      const StackNumber number = table.find_or_add(caller, frame);
      EXPECT_EQ(expected.try_emplace(frame, number).first->second, number) << frame;
    }
  }
  EXPECT_EQ(table.count(), expected.size() + 1);
  for (const auto& [frame, number] : expected) {
    EXPECT_EQ(table.find_or_add(caller, frame), number);
    EXPECT_EQ(table[number].frame, frame);
  }
}

}  // namespace
}  // namespace mini::recording
