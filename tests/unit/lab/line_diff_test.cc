#include "lab/site/line_diff.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

std::string joined(const std::vector<std::string_view>& lines) {
  std::string text;
  for (const std::string_view line : lines) text += line;
  return text;
}

std::string shown(std::string_view before, std::string_view after) {
  std::string text;
  for (const DiffHunk& hunk : diff_lines(before, after)) {
    text += hunk.same ? "=" + joined(hunk.before) : joined(hunk.before) + ">" + joined(hunk.after);
    text += " ";
  }
  return text;
}

TEST(LineDiffTest, WhatIsTheSameStandsOnce) {
  EXPECT_EQ(shown("a\nb\n", "a\nb\n"), "=ab ");
}

TEST(LineDiffTest, WhatIsReplacedStandsWithWhatReplacesIt) {
  EXPECT_EQ(shown("a\nb\nc\n", "a\nx\nc\n"), "=a b>x =c ");
  EXPECT_EQ(shown("a\nb\nc\nd\n", "x\ny\nz\nd\n"), "abc>xyz =d ");
}

TEST(LineDiffTest, WhatComesAndWhatGoes) {
  EXPECT_EQ(shown("a\nc\n", "a\nb\nc\nd\n"), "=a >b =c >d ");
  EXPECT_EQ(shown("a\nb\nc\n", "c"), "ab> =c ");
}

TEST(LineDiffTest, NothingBesideSomething) {
  EXPECT_EQ(shown("", "a\n"), ">a ");
  EXPECT_EQ(shown("a\n", ""), "a> ");
  EXPECT_EQ(shown("", ""), "");
}

TEST(LineDiffTest, BothSidesCanBePutTogetherAgain) {
  const std::string before = "int a;\n\nint b;\nint c;\n}\n";
  const std::string after = "int b;\n\nint d;\nint c;\n\n}\nend\n";
  std::string left;
  std::string right;
  for (const DiffHunk& hunk : diff_lines(before, after)) {
    for (const std::string_view line : hunk.before) left += std::string(line) + "\n";
    for (const std::string_view line : hunk.after) right += std::string(line) + "\n";
  }
  EXPECT_EQ(left, before);
  EXPECT_EQ(right, after);
}

}  // namespace
}  // namespace mini::lab
