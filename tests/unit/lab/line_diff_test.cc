#include "lab/site/line_diff.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

std::string shown(std::string_view before, std::string_view after) {
  std::string text;
  for (const DiffRow& row : diff_lines(before, after)) {
    text += row.same ? "=" : "";
    text += std::string(row.before.value_or("-"));
    text += row.same ? "" : ">" + std::string(row.after.value_or("-"));
    text += " ";
  }
  return text;
}

TEST(LineDiffTest, WhatIsTheSameStandsOnce) {
  EXPECT_EQ(shown("a\nb\n", "a\nb\n"), "=a =b ");
}

TEST(LineDiffTest, WhatIsReplacedStandsBesideWhatReplacesIt) {
  EXPECT_EQ(shown("a\nb\nc\n", "a\nx\nc\n"), "=a b>x =c ");
}

TEST(LineDiffTest, WhatComesAndWhatGoes) {
  EXPECT_EQ(shown("a\nc\n", "a\nb\nc\nd\n"), "=a ->b =c ->d ");
  EXPECT_EQ(shown("a\nb\nc\n", "c"), "a>- b>- =c ");
}

TEST(LineDiffTest, NothingBesideSomething) {
  EXPECT_EQ(shown("", "a\n"), "->a ");
  EXPECT_EQ(shown("a\n", ""), "a>- ");
  EXPECT_EQ(shown("", ""), "");
}

TEST(LineDiffTest, BothSidesCanBePutTogetherAgain) {
  const std::string before = "int a;\n\nint b;\nint c;\n}\n";
  const std::string after = "int b;\n\nint d;\nint c;\n\n}\nend\n";
  std::string left;
  std::string right;
  for (const DiffRow& row : diff_lines(before, after)) {
    if (row.before) left += std::string(*row.before) + "\n";
    if (row.after) right += std::string(*row.after) + "\n";
  }
  EXPECT_EQ(left, before);
  EXPECT_EQ(right, after);
}

}  // namespace
}  // namespace mini::lab
