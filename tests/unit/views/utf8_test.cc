#include "views/utf8.h"

#include <gtest/gtest.h>

namespace mini::views {
namespace {

TEST(Utf8Test, WellFormedCharactersOfEachLengthDecode) {
  EXPECT_EQ(decode_utf8("A").code, U'A');
  EXPECT_EQ(decode_utf8("é").code, U'é');
  EXPECT_EQ(decode_utf8("→x").code, U'→');
  EXPECT_EQ(decode_utf8("→x").length, 3U);
  EXPECT_EQ(decode_utf8("😀").code, U'😀');
  EXPECT_EQ(decode_utf8("\U0010FFFF").code, U'\U0010FFFF');
}

TEST(Utf8Test, WhatRfc3629ForbidsIsInvalidAndOneByteLong) {
  for (const std::string_view bad :
       {"\xff", "\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xe2\x86", "\xe2", "\xe2\x28\xa1"}) {
    const Decoded decoded = decode_utf8(bad);
    EXPECT_FALSE(decoded.valid) << bad;
    EXPECT_EQ(decoded.length, 1U);
  }
}

TEST(Utf8Test, EveryCodePointSurvivesEncodingAndDecoding) {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    if (code == 0xd800) code = 0xe000;
    std::string text;
    append_utf8(text, code);
    const Decoded decoded = decode_utf8(text);
    ASSERT_TRUE(decoded.valid);
    ASSERT_EQ(decoded.code, code);
    ASSERT_EQ(decoded.length, text.size());
  }
}

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
