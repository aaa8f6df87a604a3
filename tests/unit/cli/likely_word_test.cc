#include "cli/likely_word.h"

#include <gtest/gtest.h>
#include <vector>

namespace mini::cli {
namespace {

std::string likely(std::string_view typed) {
  const std::vector<std::string> words = {"trace", "record", "report",    "run",
                                          "lab",   "-o",     "--summary", "--min"};
  return likely_word(typed, words);
}

TEST(LikelyWord, IsTheOneThatASlipMadeOf) {
  EXPECT_EQ(likely("trase"), "trace");
  EXPECT_EQ(likely("tarce"), "trace");
  EXPECT_EQ(likely("trce"), "trace");
  EXPECT_EQ(likely("tracer"), "trace");
  EXPECT_EQ(likely("reprot"), "report");
  EXPECT_EQ(likely("rum"), "run");
  EXPECT_EQ(likely("--sumary"), "--summary");
  EXPECT_EQ(likely("-summary"), "--summary");
}

TEST(LikelyWord, IsTheOneThatWasBegun) {
  EXPECT_EQ(likely("rec"), "record");
  EXPECT_EQ(likely("--sum"), "--summary");
}

TEST(LikelyWord, IsNoneThatIsFarAway) {
  for (const char* typed : {"", "-", "--", "-z", "ls", "make", "python3", "--bogus", "re"}) {
    EXPECT_EQ(likely(typed), "") << typed;
  }
  EXPECT_EQ(likely(std::string(100'000, 'r')), "");
}

}  // namespace
}  // namespace mini::cli
