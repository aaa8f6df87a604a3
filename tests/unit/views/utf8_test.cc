#include "views/utf8.h"

#include <gtest/gtest.h>

namespace mini::views {
namespace {

TEST(PrintableTest, ControlsAndInvalidBytesAreEscaped) {
  EXPECT_EQ(printable("a\x1b[31mb", true), "a\\x1b[31mb");
  EXPECT_EQ(printable("a\nb\tc\rd\x7f", true), "a\\nb\\tc\\x0dd\\x7f");
  EXPECT_EQ(printable("\xff\xfe", true), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc2\x9b", true), "\\u{9b}") << "CSI as one character";
  EXPECT_EQ(printable(std::string("\xe2\x80") + "\xae" + "gpj.exe", true), "\\u{202e}gpj.exe");
  EXPECT_EQ(printable("\\n", true), "\\\\n") << "an escape is told from the same letters";
  EXPECT_EQ(printable(std::string_view("\0", 1), true), "\\x00");
}

TEST(PrintableTest, WithoutUnicodeTypographyTurnsIntoItsLikenessAndTheRestIntoEscapes) {
  EXPECT_EQ(printable("a → b · c × d − e", false), "a -> b - c x d - e");
  EXPECT_EQ(printable("日", false), "\\u{65e5}");
  EXPECT_EQ(printable("日", true), "日");
}

TEST(ColumnWidthTest, WideAndCombiningCharactersCountAsTheTerminalDraws) {
  EXPECT_EQ(column_width("abc"), 3U);
  EXPECT_EQ(column_width("→"), 1U);
  EXPECT_EQ(column_width("日本"), 4U);
  EXPECT_EQ(column_width("e\u0301"), 1U);
  EXPECT_EQ(column_width("😀"), 2U);
}

}  // namespace
}  // namespace mini::views
