#include "lab/answer.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

using Form = Answer::Form;

TEST(AnswerTest, IsWrittenForPeople) {
  EXPECT_EQ(format_answer(count(1234)), "1,234");
  EXPECT_EQ(format_answer(bytes(Bytes{135168})), "135,168 (132 KiB)");
  EXPECT_EQ(format_answer(bytes(Bytes{1008})), "1008 bytes");
  EXPECT_EQ(format_answer(offset(Bytes{1008})), "0x3f0");
  EXPECT_EQ(format_answer(yes_or_no(false)), "no");
}

TEST(AnswerTest, ReadsASizeInAnyUsualForm) {
  for (const char* text :
       {"135168", "135,168", "0x21000", "132K", "132 KiB", " 132kb ", "132 k.", "135168 bytes"}) {
    EXPECT_EQ(parse_answer(text, Form::kBytes), bytes(Bytes{135168})) << text;
  }
  EXPECT_EQ(parse_answer("0x3F0", Form::kOffset), offset(Bytes{0x3f0}));
  EXPECT_EQ(parse_answer("2 MiB", Form::kBytes), bytes(Bytes{2 << 20}));
}

TEST(AnswerTest, ReadsWordsWithoutRegardToCase) {
  EXPECT_EQ(parse_answer("Malloc\r", Form::kWord), word("malloc"));
  EXPECT_EQ(parse_answer("Y", Form::kWord), yes_or_no(true));
  EXPECT_EQ(parse_answer("No.", Form::kWord), yes_or_no(false));
}

TEST(AnswerTest, AWordIsRightHoweverItIsSpelt) {
  const auto is_right = [](std::string_view typed, const char* figure) {
    const auto said = parse_answer(typed, Form::kWord);
    return said && says(*said, word(figure));
  };
  for (const char* typed : {"1, 2, 1", "1,2,1", "1 2 1"}) EXPECT_TRUE(is_right(typed, "1, 2, 1"));
  EXPECT_TRUE(is_right("Heap", "[heap]"));
  EXPECT_TRUE(is_right("mapping", "a mapping"));
  EXPECT_FALSE(is_right("1, 1, 1", "1, 2, 1"));
  EXPECT_FALSE(is_right("r--", "r-x"));
  EXPECT_FALSE(says(count(3), count(4)));
  EXPECT_TRUE(says(count(3), count(3)));
}

TEST(AnswerTest, WhatIsNoFigureIsNotOne) {
  for (const char* text : {"", " ", "many", "12 parsecs", "-3", "0x", "99999999999999999999",
                           "18446744073709551615 KiB", "1.5 KiB"}) {
    EXPECT_FALSE(parse_answer(text, Form::kBytes)) << text;
  }
}

}  // namespace
}  // namespace mini::lab
