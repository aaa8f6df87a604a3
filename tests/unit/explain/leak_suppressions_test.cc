#include "explain/leak_suppressions.h"

#include <gtest/gtest.h>

#include "explain/heap_findings.h"
#include "explain/profile_ranking.h"
#include "sample_profile.h"

namespace mini::explain {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_leak_suppressions(text, "known.supp");
  return parsed ? "" : parsed.error().message;
}

TEST(LeakSuppressionsTest, ReadsLinesAndLeavesOutComments) {
  const auto parsed = parse_leak_suppressions(
      "# known leaks\n\nleak:app::Cache\r\n  leak: libz*.so.1 \n#leak:no\nleak:last", "known.supp");
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->size(), 3U);
  EXPECT_EQ((*parsed)[0].pattern, "app::Cache");
  EXPECT_EQ((*parsed)[0].line, 3U);
  EXPECT_EQ((*parsed)[1].pattern, "libz*.so.1");
  EXPECT_EQ((*parsed)[2].pattern, "last");
  EXPECT_EQ((*parsed)[2].line, 6U);
  EXPECT_TRUE(parse_leak_suppressions("", "known.supp")->empty());
}

TEST(LeakSuppressionsTest, AWrongLineIsNamed) {
  EXPECT_EQ(error_of("leak:ok\n\nrace:foo\n"),
            "known.supp, line 3: 'race:foo' is no suppression: type leak:PATTERN");
  EXPECT_EQ(error_of("foo"), "known.supp, line 1: 'foo' is no suppression: type leak:PATTERN");
  for (const char* text : {"leak:", "leak: *", "leak:^$", "leak:**"}) {
    EXPECT_NE(error_of(text).find("would match every leak"), std::string::npos) << text;
  }
}

TEST(LeakSuppressionsTest, APatternMatchesAnywhereInTheName) {
  const std::string_view name = "app::Cache::put(int)";
  for (const char* pattern : {"Cache", "app", "(int)", "app*put", "*Cache*", "^app", "(int)$",
                              "^app::*(int)$", "^*put", "^app::Cache::put(int)$", "a*a*t"}) {
    EXPECT_TRUE(matches_suppression(pattern, name)) << pattern;
  }
  for (const char* pattern : {"cache", "^Cache", "put$", "put*app", "^app$", "app*put$", "^pp*put",
                              "(int)*(int)", "^app::Cache::put(int)x"}) {
    EXPECT_FALSE(matches_suppression(pattern, name)) << pattern;
  }
  EXPECT_FALSE(matches_suppression("x", ""));
}

/// The sample's one leak, of 500 blocks, is from app::Cache::put.
model::HeapProfile suppressed(std::string_view text) {
  model::HeapProfile profile = sample_profile();
  suppress_leaks(profile, *parse_leak_suppressions(text, "known.supp"));
  return profile;
}

TEST(LeakSuppressionsTest, TheFirstThatMatchesAnyFrameCounts) {
  const model::Amount leak{500, 50'000'000};
  for (const char* pattern : {"leak:Cache::put", "leak:/src/cache.cc", "leak:server", "leak:^main$",
                              "leak:app::load(char"}) {
    const model::HeapProfile profile =
        suppressed(std::string("leak:nothing\n") + pattern + "\nleak:app::Cache::put(int)");
    ASSERT_EQ(profile.suppressions.size(), 3U);
    EXPECT_EQ(profile.suppressions[0].stacks, 0U);
    EXPECT_EQ(profile.suppressions[1].stacks, 1U) << pattern;
    EXPECT_EQ(profile.suppressions[1].matched, leak);
    EXPECT_EQ(profile.suppressions[2].stacks, 0U);
    EXPECT_EQ(profile.totals.suppressed, leak);
    EXPECT_EQ(profile.totals.live, leak);
    EXPECT_EQ(profile.totals.leaked(), model::Amount{});
  }
}

TEST(LeakSuppressionsTest, WhatIsSuppressedIsNoLeakAnywhere) {
  const model::HeapProfile profile = suppressed("leak:Cache");
  EXPECT_TRUE(rank_stacks(profile, Measure::kLeaked).empty());
  EXPECT_EQ(sum_of_stacks(profile).leaked(), model::Amount{});
  for (const Finding& finding : find_in_heap(profile)) EXPECT_NE(finding.kind, "leak");
  EXPECT_EQ(rank_stacks(profile, Measure::kPeak), rank_stacks(sample_profile(), Measure::kPeak));
  EXPECT_EQ(rank_stacks(suppressed("leak:libz"), Measure::kLeaked).size(), 1U);
}

TEST(LeakSuppressionsTest, NamesOfAnyLengthAreMatched) {
  model::HeapProfile profile = hostile_profile();
  suppress_leaks(profile, *parse_leak_suppressions("leak:^x*x*x*x*x*y\nleak:f;*599$", "a"));
  EXPECT_EQ(profile.suppressions[0].stacks, 0U);
  EXPECT_EQ(profile.suppressions[1].stacks, 1U);
}

}  // namespace
}  // namespace mini::explain
