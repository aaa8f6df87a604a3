#include "views/text_table.h"

#include <gtest/gtest.h>

namespace mini::views {
namespace {

TextTable sample() {
  TextTable table;
  table.add_column("name", TextTable::Align::kLeft);
  table.add_column("KiB", TextTable::Align::kRight);
  table.add_row({"heap", "132"});
  table.add_row({"libraries", "1,024"});
  table.add_rule();
  table.add_row({"all", "1,156"});
  return table;
}

TEST(TextTableTest, NumbersStandUnderEachOther) {
  std::string out;
  sample().write(out, {.width = 80});
  EXPECT_EQ(out,
            "  name         KiB\n"
            "  heap         132\n"
            "  libraries  1,024\n"
            "  ────────────────\n"
            "  all        1,156\n");
}

TEST(TextTableTest, ColumnsThatDoNotFitAreLeftOutFromTheRight) {
  TextTable table = sample();
  table.add_column(std::string(70, 'n'), TextTable::Align::kLeft);
  std::string wide;
  table.write(wide, {.width = 60});
  std::string expected;
  sample().write(expected, {.width = 60});
  EXPECT_EQ(wide, expected);
}

}  // namespace
}  // namespace mini::views
