#include "lab/printed.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

constexpr std::string_view kText =
    "first block: 0x55e0 (heap start + 0x6b0)\nblocks: 12 of 13\n"
    "empty: \nlast: 0xzz";

TEST(PrintedTest, FindsWhatALineSays) {
  EXPECT_EQ(printed_address(kText, "first block"), Address{0x55e0});
  EXPECT_EQ(printed_number(kText, "blocks"), 12U);
  EXPECT_EQ(printed_text(kText, "blocks"), "12 of 13");
  EXPECT_EQ(printed_text(kText, "empty"), "");
}

TEST(PrintedTest, NothingElseIsFound) {
  EXPECT_FALSE(printed_address(kText, "block"));
  EXPECT_FALSE(printed_address(kText, "first"));
  EXPECT_FALSE(printed_address(kText, "blocks"));
  EXPECT_FALSE(printed_address(kText, "last"));
  EXPECT_FALSE(printed_number(kText, "empty"));
  EXPECT_FALSE(printed_text("", "x"));
}

}  // namespace
}  // namespace mini::lab
