#include "views/flow.h"

#include <gtest/gtest.h>

#include "views/utf8.h"

namespace mini::views {
namespace {

std::string flowed(std::string_view text, std::size_t width, std::size_t hanging = 2) {
  const TextStyle style{.width = width};
  std::string out;
  Flow flow(out, style, hanging);
  flow.column(2).put(text).end_line();
  return out;
}

TEST(FlowTest, WordsWrapWithAHangingIndent) {
  EXPECT_EQ(flowed("one two three four", 12, 4), "  one two\n    three\n    four\n");
}

TEST(FlowTest, ANumberKeepsItsUnit) {
  EXPECT_EQ(flowed("rounded to 132 KiB (135168 bytes) here", 19),
            "  rounded to\n  132 KiB\n  (135168 bytes)\n  here\n");
}

TEST(FlowTest, OnlyAWordWiderThanALineIsBroken) {
  EXPECT_EQ(flowed("x " + std::string(20, 'y'), 12), "  x\n  yyyyyyyyyy\n  yyyyyyyyyy\n");
}

TEST(FlowTest, APathIsBrokenAfterASlash) {
  EXPECT_EQ(flowed("/usr/lib/libpython3.so", 16), "  /usr/lib/\n  libpython3.so\n");
  EXPECT_EQ(flowed("/a/libpython3.so", 12), "  /a/libpyth\n  on3.so\n");
}

TEST(FlowTest, AWideCharacterIsNotCutInHalf) {
  EXPECT_EQ(flowed("日本語日本語", 7), "  日本\n  語日\n  本語\n");
}

TEST(FlowTest, RightMovesToTheNextLineWhereItDoesNotFit) {
  const TextStyle style{.width = 20};
  std::string out;
  Flow flow(out, style, 2);
  flow.column(2).put("left").right(Ink::kDim, "right").end_line();
  flow.column(2).put("a long left part").right(Ink::kDim, "right").end_line();
  EXPECT_EQ(out,
            "  left         right\n"
            "  a long left part\n"
            "               right\n");
}

TEST(FlowTest, ColourSurroundsWordsAndNoSpaces) {
  const TextStyle style{.width = 20, .color = true};
  std::string out;
  Flow flow(out, style, 2);
  flow.column(2).put(Ink::kStrong, "a b").end_line();
  EXPECT_EQ(out, "  \x1b[1ma\x1b[0m \x1b[1mb\x1b[0m\n");
}

TEST(FlowTest, NoTextAndNoWidthMakesALineTooWide) {
  // Deterministic pseudo-random words, some wider than any line.
  std::uint32_t seed = 1;
  const auto next = [&seed] { return seed = seed * 1664525U + 1013904223U; };
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int word = 0; word < 40; ++word) {
      text +=
          std::string(next() % (next() % 8 == 0 ? 90 : 9), 'w') + (next() % 5 == 0 ? " 日" : " ");
    }
    const std::size_t width = kMinWidth + next() % 60;
    const std::string out = flowed(text, width, 12);
    for (std::size_t at = 0; at < out.size();) {
      const std::size_t end = out.find('\n', at);
      ASSERT_LE(column_width(std::string_view(out).substr(at, end - at)), width) << out;
      at = end + 1;
    }
  }
}

}  // namespace
}  // namespace mini::views
