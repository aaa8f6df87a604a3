#include "views/json_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mini::views {
namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonStringTest, EscapesWhatJsonAndTerminalsWouldMisread) {
  EXPECT_EQ(as_json("plain"), "\"plain\"");
  EXPECT_EQ(as_json("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(as_json("\n\x1b\x7f"), "\"\\u000a\\u001b\\u007f\"");
  EXPECT_EQ(as_json("日→"), "\"日→\"");
}

TEST(JsonStringTest, AnInvalidByteBecomesTheReplacementCharacter) {
  EXPECT_EQ(as_json("a\xff"), "\"a\uFFFD\"");
  EXPECT_EQ(as_json("\xe2\x86"), "\"\uFFFD\uFFFD\"");
}

TEST(JsonStringTest, AnyBytesParse) {
  std::string all;
  for (int high = 0; high < 256; ++high) {
    for (int low = 0; low < 256; ++low) {
      all += static_cast<char>(high);
      all += static_cast<char>(low);
    }
  }
  EXPECT_TRUE(nlohmann::json::parse(as_json(all)).is_string());
}

TEST(JsonWriterTest, CommasAreWhereTheyBelong) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("a").number(1).key("b").begin_array().begin_object().end_object();
  json.string("x").null().end_array().key("c").begin_object().end_object();
  json.key("d").signed_number(-5).key("e").boolean(true).key("f").address(Address{0xabc});
  json.end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[{},"x",null],"c":{},"d":-5,"e":true,"f":"0xabc"})");
}

}  // namespace
}  // namespace mini::views
