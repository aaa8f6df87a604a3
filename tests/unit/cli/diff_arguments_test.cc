#include "cli/diff_arguments.h"

#include <cstdint>
#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using Words = std::vector<std::string>;

DiffArguments parsed(const Words& words) {
  auto arguments = parse_diff_arguments(words);
  EXPECT_TRUE(arguments.has_value()) << arguments.error().message;
  return arguments.value_or(DiffArguments{});
}

std::string refused(const Words& words) {
  const auto arguments = parse_diff_arguments(words);
  EXPECT_FALSE(arguments.has_value());
  return arguments ? std::string() : arguments.error().message;
}

TEST(DiffArgumentsTest, ReadsEveryOption) {
  const DiffArguments arguments =
      parsed({"--by", "module", "a", "--measure", "leaked", "--top", "5", "b", "--json", "-o",
              "out", "--color=never", "--width", "100", "--fail-on-growth", "64K"});
  EXPECT_EQ(arguments.before, "a");
  EXPECT_EQ(arguments.after, "b");
  EXPECT_TRUE(arguments.json);
  EXPECT_EQ(arguments.by, explain::Grouping::kModule);
  EXPECT_EQ(arguments.measure, explain::Measure::kLeaked);
  EXPECT_EQ(arguments.top, 5U);
  EXPECT_EQ(arguments.output_path, "out");
  EXPECT_EQ(parsed({"-o", "-", "a", "b"}).output_path, std::nullopt);
  EXPECT_EQ(arguments.color, ColorChoice::kNever);
  EXPECT_EQ(arguments.width, 100U);
  ASSERT_TRUE(arguments.most_growth.has_value());
  EXPECT_EQ(arguments.most_growth->amount, 65536U);
  EXPECT_EQ(parsed({"--top", "all", "a", "b"}).top, SIZE_MAX);
  EXPECT_EQ(parsed({"--depth=0", "a", "b"}).depth, 0U);
  EXPECT_TRUE(parsed({"--help"}).help);
}

TEST(DiffArgumentsTest, RefusesInOneLineWithWhatToType) {
  EXPECT_EQ(refused({"a"}),
            "which two recordings? type 'heapspy diff BEFORE.heapspy AFTER.heapspy'");
  EXPECT_EQ(refused({"a", "b", "c"}), "two recordings at a time: leave out 'c'");
  EXPECT_EQ(refused({"--by", "thread", "a", "b"}), "--by thread: choose function, file or module");
  EXPECT_EQ(refused({"--measure", "lifetime", "a", "b"}),
            "--measure lifetime: choose peak, leaked, allocated, calls or temporary");
  for (const char* limit : {"-1%", "%", "x%", "1e3%", "nan%", "inf%", "5%%", ""}) {
    EXPECT_TRUE(refused({std::string("--fail-on-growth=") + limit, "a", "b"})
                    .starts_with("--fail-on-growth"))
        << limit;
  }
  EXPECT_EQ(refused({"--top", "0", "a", "b"}), "--top 0: type a number from 1 on, or all");
  EXPECT_EQ(refused({"--top", "some", "a", "b"}), "--top some: type a number from 1 on, or all");
}

TEST(DiffArgumentsTest, WhatHasNoEffectIsRefused) {
  EXPECT_EQ(refused({"--json", "--depth", "5", "a", "b"}),
            "--depth has nothing to choose in --json: leave it out");
  EXPECT_EQ(refused({"--by", "file", "--depth", "5", "a", "b"}),
            "--depth has nothing to choose in --by: leave it out");
}

bool exceeds(const char* limit, std::uint64_t before, std::uint64_t after) {
  const auto arguments = parsed({"--fail-on-growth", limit, "a", "b"});
  return arguments.most_growth->is_exceeded(before, after);
}

TEST(DiffArgumentsTest, AGrowthBeyondTheLimitIsTooMuch) {
  EXPECT_FALSE(exceeds("1K", 5000, 6024));
  EXPECT_TRUE(exceeds("1K", 5000, 6025));
  EXPECT_FALSE(exceeds("0", 5000, 5000));
  EXPECT_TRUE(exceeds("0", 5000, 5001));
  EXPECT_FALSE(exceeds("0", 5000, 4000));
  EXPECT_FALSE(exceeds("5%", 1000, 1050));
  EXPECT_TRUE(exceeds("5%", 1000, 1051));
  EXPECT_TRUE(exceeds("0.5%", 1000, 1006));
  EXPECT_TRUE(exceeds("500%", 0, 1));
  EXPECT_FALSE(exceeds("0%", 0, 0));
}

}  // namespace
}  // namespace mini::cli
