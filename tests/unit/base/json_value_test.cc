#include "base/json_value.h"

#include <gtest/gtest.h>

namespace mini {
namespace {

JsonValue parsed(std::string_view text) {
  auto value = JsonValue::parse(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? std::move(*value) : JsonValue();
}

TEST(JsonValueTest, ReadsEveryKindOfValue) {
  const JsonValue root = parsed(
      R"( {"a": [1, -2, 3.5, true, false, null], "b": {"c": "x\"\\\/\n\u00e9\ud83d\ude00"}} )");
  EXPECT_EQ(root["a"].items().size(), 6U);
  EXPECT_EQ(root["a"].items()[0].number(), 1);
  EXPECT_EQ(root["a"].items()[1].number(), -2);
  EXPECT_EQ(root["a"].items()[2].number(), std::nullopt) << "not whole";
  EXPECT_TRUE(root["a"].items()[5].is_null());
  EXPECT_EQ(root["b"]["c"].text(), "x\"\\/\n\u00e9\U0001f600");
}

TEST(JsonValueTest, WhatIsNotThereIsNull) {
  const JsonValue root = parsed(R"({"a": 1})");
  EXPECT_TRUE(root["b"]["c"].is_null());
  EXPECT_TRUE(root["a"].items().empty());
  EXPECT_EQ(root["a"].text(), "");
  EXPECT_EQ(root["b"].number(), std::nullopt);
}

TEST(JsonValueTest, RefusesWhatIsNoJson) {
  for (const char* text :
       {"", " ", "{", "[1,]", R"({"a"})", R"({"a":})", "{a:1}", "nul", "1 2", "\"x", R"("\q")",
        R"("\u12")", R"("\ud800\u0041")", "\"\n\"", "--1", "1e", "]", R"({"a":1,})"}) {
    EXPECT_FALSE(JsonValue::parse(text).has_value()) << text;
  }
}

TEST(JsonValueTest, NestingHasALimit) {
  EXPECT_TRUE(JsonValue::parse(std::string(60, '[') + std::string(60, ']')).has_value());
  EXPECT_FALSE(JsonValue::parse(std::string(100000, '[')).has_value());
}

TEST(JsonValueTest, ANumberThatIsTooLargeIsNotWhole) {
  EXPECT_EQ(parsed("9223372036854775807").number(), INT64_MAX);
  EXPECT_EQ(parsed("9223372036854775808").number(), std::nullopt);
}

}  // namespace
}  // namespace mini
