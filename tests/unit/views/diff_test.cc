// The forms of a diff: text word for word, JSON by its meaning. UPDATE_GOLDEN=1 rewrites
// tests/golden/ from what is printed: read the difference before committing it.
#include <cstdint>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <ostream>

#include "../explain/sample_profile.h"
#include "agreed_text.h"
#include "explain/diff_findings.h"
#include "sample_story.h"
#include "views/diff_view.h"

namespace mini::views {
namespace {

using explain::changed_profile;
using explain::crowded_profile;
using explain::hostile_profile;
using explain::sample_profile;
using model::HeapProfile;
using nlohmann::json;

struct Look {
  const char* name;
  HeapProfile (*after)();
  DiffOptions options;
};

// As in golden_test.cc.
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for that name.
void PrintTo(const Look& look, std::ostream* out) {
  *out << look.name;
}

std::string printed(const Look& look) {
  const HeapProfile before = sample_profile();
  const HeapProfile after = look.after();
  const explain::ProfileDiff diff = explain::diff_profiles(before, after);
  std::string out;
  write_diff(out, diff, explain::find_in_diff(diff), look.options);
  return out;
}

class DiffGoldenTest : public testing::TestWithParam<Look> {};

TEST_P(DiffGoldenTest, PrintsWhatWasAgreed) {
  expect_agreed(std::string(GetParam().name) + ".txt", printed(GetParam()));
}

TEST_P(DiffGoldenTest, NoLineIsWiderThanAskedAndNothingIsObeyed) {
  const TextStyle& style = GetParam().options.style;
  const std::string text = printed(GetParam());
  expect_lines_fit(text, style.width);
  expect_nothing_obeyed(text, style);
}

DiffOptions look(std::size_t width, bool unicode = true) {
  DiffOptions options;
  options.style = {.width = width, .unicode = unicode};
  options.before_file = "old.heapspy";
  options.after_file = "new.heapspy";
  return options;
}

DiffOptions by(explain::Grouping grouping, explain::Measure measure) {
  DiffOptions options = look(80);
  options.by = grouping;
  options.measure = measure;
  return options;
}

DiffOptions only(explain::Measure measure) {
  DiffOptions options = look(60, false);
  options.measure = measure;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Looks, DiffGoldenTest,
    testing::Values(Look{"diff_80", changed_profile, look(80)},
                    Look{"diff_same", sample_profile, look(80)},
                    Look{"diff_hostile", hostile_profile, look(80)},
                    Look{"diff_calls_ascii", changed_profile, only(explain::Measure::kCalls)},
                    Look{"diff_by_module", changed_profile,
                         by(explain::Grouping::kModule, explain::Measure::kAllocated)}),
    [](const testing::TestParamInfo<Look>& look) { return std::string(look.param.name); });

TEST(DiffTextTest, RowsThatLookAlikeSayWhatThePlaceCalled) {
  Look looked{"", changed_profile, only(explain::Measure::kPeak)};
  EXPECT_EQ(printed(looked).find("->"), std::string::npos);
  looked.after = [] {
    HeapProfile profile = changed_profile();
    model::StackProfile again = profile.stacks[1];
    profile.nodes.push_back(
        {.caller = again.node, .frame = profile.nodes[profile.stacks[0].node].frame});
    again.node = static_cast<std::uint32_t>(profile.nodes.size() - 1);
    profile.stacks.push_back(again);
    return profile;
  };
  EXPECT_NE(printed(looked).find("-> operator new in"), std::string::npos);
}

std::string json_text(const HeapProfile& before, const HeapProfile& after,
                      std::optional<explain::Grouping> by = std::nullopt,
                      std::optional<std::size_t> top = std::nullopt) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kBatched);
  const explain::ProfileDiff diff = explain::diff_profiles(before, after);
  write_diff_json(output, diff, explain::find_in_diff(diff),
                  {.version = "1.2.3",
                   .before_file = "old.heapspy",
                   .after_file = "new.heapspy",
                   .measure = explain::Measure::kPeak,
                   .by = by,
                   .top = top});
  output.flush();
  return capture.text();
}

TEST(DiffJsonTest, EveryListAddsUpToTheTotals) {
  const HeapProfile before = sample_profile();
  for (const HeapProfile& after : {changed_profile(), hostile_profile(), crowded_profile()}) {
    const json diff = json::parse(json_text(before, after, explain::Grouping::kModule));
    for (const char* when : {"before", "after"}) {
      for (const char* list : {"stacks", "groups"}) {
        for (const auto& [field, whole] : diff["totals"][when].items()) {
          std::uint64_t sum = 0;
          for (const json& one : diff[list]) sum += one[when][field].get<std::uint64_t>();
          EXPECT_EQ(sum, whole) << when << " " << list << " " << field;
        }
      }
    }
  }
}

TEST(DiffJsonTest, TheLargestDifferenceComesFirst) {
  const json diff = json::parse(json_text(sample_profile(), changed_profile(), {}, 2));
  ASSERT_EQ(diff["stacks"].size(), 2U);
  EXPECT_EQ(diff["stacks"][0]["place"], "app::Cache::put at cache.cc:19");
  EXPECT_EQ(diff["stacks"][1]["place"], "libz.so.1+0x2000");
  EXPECT_FALSE(diff["stacks"][1]["is_after"].get<bool>());
  EXPECT_EQ(diff["stacks"][1]["after"]["peak_live_bytes"], 0);
  EXPECT_EQ(diff["findings"][0]["kind"], "leaked-growth");
  EXPECT_TRUE(diff["by"].is_null());
}

/// The crowded one, built again: some of its callers are at other addresses, and one is worse.
HeapProfile crowded_and_changed() {
  HeapProfile profile = crowded_profile();
  profile.process.executable = profile.modules[1].path = "/build/new/server-2";
  for (model::ProfileFrame& frame : profile.frames) frame.address += 0x100;
  model::BlockTotals& worse = profile.stacks[2000].totals;
  for (model::BlockTotals* totals : {&worse, &profile.totals}) {
    totals->allocated += {.blocks = 1, .bytes = 24};
    totals->live += {.blocks = 1, .bytes = 24};
  }
  return profile;
}

TEST(DiffJsonTest, StacksOfLittleWeightAreMergedUnlessAllAreAskedFor) {
  const HeapProfile before = crowded_profile();
  const HeapProfile after = crowded_and_changed();
  const json all = json::parse(json_text(before, after, {}, SIZE_MAX));
  const json diff = json::parse(json_text(before, after));
  EXPECT_GT(all["stacks"].size(), 3003U);  // some of either build alone
  EXPECT_LT(diff["stacks"].size(), 1010U);
  std::size_t stacks = 0;
  std::size_t merged_entries = 0;
  bool has_worse = false;
  for (const json& one : diff["stacks"]) {
    const bool is_merged = !one["merged_stacks"].is_null();
    stacks += is_merged ? one["merged_stacks"].get<std::size_t>() : 1;
    has_worse |= !is_merged && one["after"]["allocated_bytes"] == 72;
    if (!is_merged) continue;
    ++merged_entries;
    EXPECT_EQ(one["place"], "app::intern at intern.cc:9");
    EXPECT_EQ(one["place_frame"], one["frames"].size() - 1);
    EXPECT_TRUE(one["is_before"].get<bool>() && one["is_after"].get<bool>());
  }
  EXPECT_EQ(stacks, all["stacks"].size());
  EXPECT_EQ(merged_entries, 1U);
  EXPECT_TRUE(has_worse);
  for (const json& one : all["stacks"]) EXPECT_TRUE(one["merged_stacks"].is_null());
}

TEST(DiffJsonTest, EveryFieldIsDocumented) {
  const std::string text =
      json_text(sample_profile(), changed_profile(), explain::Grouping::kFunction);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  expect_documented(json::parse(text), "diff-format.md", 40);
}

}  // namespace
}  // namespace mini::views
