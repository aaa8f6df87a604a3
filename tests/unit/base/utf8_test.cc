#include "base/utf8.h"

#include <gtest/gtest.h>

namespace mini {
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

TEST(Utf8Test, WhateverBytesBecomeWellFormed) {
  EXPECT_EQ(well_formed_utf8("plain"), "plain");
  EXPECT_EQ(well_formed_utf8("é→😀\n"), "é→😀\n");
  EXPECT_EQ(well_formed_utf8("a\xff\xe2\x86z"), "a\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(well_formed_utf8(std::string_view("a\0b", 3)), "a\uFFFDb");
}

}  // namespace
}  // namespace mini
