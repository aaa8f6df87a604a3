// The forms of a report: text word for word, JSON by its meaning. UPDATE_GOLDEN=1
// rewrites tests/golden/ from what is printed: read the difference before committing it.
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <ostream>

#include "../explain/sample_profile.h"
#include "agreed_text.h"
#include "explain/leak_suppressions.h"
#include "sample_story.h"
#include "views/report_export.h"
#include "views/report_text.h"
#include "views/report_view.h"

namespace mini::views {
namespace {

using explain::crowded_profile;
using explain::hostile_profile;
using explain::sample_profile;
using model::HeapProfile;
using nlohmann::json;

std::string json_text(const HeapProfile& profile, std::optional<std::size_t> top = std::nullopt) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kBatched);
  write_report_json(output, profile, explain::find_in_heap(profile),
                    {.version = "1.2.3", .focus = "", .top = top});
  output.flush();
  return capture.text();
}

HeapProfile suppressed_profile() {
  HeapProfile profile = sample_profile();
  explain::suppress_leaks(profile,
                          {{.pattern = "Cache::put", .line = 2, .stacks = 0, .matched = {}},
                           {.pattern = "old\x1b[2J", .line = 3, .stacks = 0, .matched = {}},
                           {.pattern = "gone", .line = 7, .stacks = 0, .matched = {}}});
  return profile;
}

/// Of the sample's one leak, most is lost, some of that indirectly.
HeapProfile searched_profile() {
  HeapProfile profile = sample_profile();
  profile.leak_scan = {.state = model::LeakScan::State::kDone,
                       .time_ns = 10'000'000'000,
                       .scanned_bytes = 60'000'000,
                       .unreadable_bytes = 0};
  for (model::BlockTotals* totals : {&profile.totals, &profile.stacks[1].totals,
                                     &profile.threads[2].totals, &profile.sizes[1].totals}) {
    totals->reachable = {100, 10'000'000};
    totals->lost_indirectly = {50, 5'000'000};
  }
  return profile;
}

/// As --at makes it: the recording goes on.
HeapProfile early_profile() {
  HeapProfile profile = sample_profile();
  profile.span.until_ns = profile.duration_ns;
  return profile;
}

HeapProfile unsearched_profile() {
  HeapProfile profile = sample_profile();
  profile.leak_scan.state = model::LeakScan::State::kMissing;
  return profile;
}

HeapProfile divided_profile() {
  HeapProfile profile = sample_profile();
  profile.division = model::StackDivision::kThread;
  for (model::StackProfile& stack : profile.stacks) stack.part = 1;
  profile.stacks[1].part = 2;
  return profile;
}

struct Look {
  const char* name;
  std::function<HeapProfile()> profile;
  ReportOptions options;
};

// As in golden_test.cc.
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for that name.
void PrintTo(const Look& look, std::ostream* out) {
  *out << look.name;
}

std::string printed(const Look& look) {
  const HeapProfile profile = look.profile();
  std::string out;
  write_report(out, profile, explain::find_in_heap(profile), look.options);
  return out;
}

class ReportGoldenTest : public testing::TestWithParam<Look> {};

TEST_P(ReportGoldenTest, PrintsWhatWasAgreed) {
  expect_agreed(std::string(GetParam().name) + ".txt", printed(GetParam()));
}

TEST_P(ReportGoldenTest, NoLineIsWiderThanAskedAndNothingIsObeyed) {
  const TextStyle& style = GetParam().options.style;
  const std::string text = printed(GetParam());
  expect_lines_fit(text, style.width);
  expect_nothing_obeyed(text, style);
}

ReportOptions all_tables(std::size_t width, bool unicode = true) {
  ReportOptions options;
  options.style = {.width = width, .unicode = unicode};
  return options;
}

ReportOptions by(explain::Grouping grouping) {
  ReportOptions options = all_tables(80);
  options.by = grouping;
  return options;
}

ReportOptions tree(explain::TreeDirection direction, explain::Measure measure,
                   std::optional<std::size_t> depth = std::nullopt, std::size_t width = 80) {
  ReportOptions options = all_tables(width);
  options.tree = direction;
  options.measure = measure;
  options.depth = depth;
  return options;
}

ReportOptions tree_by(explain::Grouping grouping) {
  ReportOptions options = tree(explain::TreeDirection::kCallees, explain::Measure::kCalls);
  options.by = grouping;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Looks, ReportGoldenTest,
    testing::Values(
        Look{"report_80", sample_profile, all_tables(80)},
        Look{"report_ascii", sample_profile, all_tables(60, false)},
        Look{"report_early", early_profile, all_tables(80)},
        Look{"report_hostile", hostile_profile, all_tables(80)},
        Look{"report_searched", searched_profile, all_tables(80)},
        Look{"report_suppressed", suppressed_profile, all_tables(80)},
        Look{"report_by_module", sample_profile, by(explain::Grouping::kModule)},
        Look{"report_callers", sample_profile,
             tree(explain::TreeDirection::kCallers, explain::Measure::kCalls)},
        Look{"report_callees", sample_profile,
             tree(explain::TreeDirection::kCallees, explain::Measure::kPeak)},
        Look{"report_callees_narrow", sample_profile,
             tree(explain::TreeDirection::kCallees, explain::Measure::kPeak, {}, 48)},
        Look{"report_callees_by_file", sample_profile, tree_by(explain::Grouping::kFile)},
        Look{"report_callees_by_thread", divided_profile, tree_by(explain::Grouping::kThread)},
        Look{"report_callees_hostile", hostile_profile,
             tree(explain::TreeDirection::kCallees, explain::Measure::kPeak, 8)}),
    [](const testing::TestParamInfo<Look>& look) { return std::string(look.param.name); });

TEST(ReportTablesTest, WhatMayHaveBeenFreedLaterIsNowhereCalledNeverFreed) {
  for (const ReportOptions& options :
       {all_tables(80), by(explain::Grouping::kModule),
        tree(explain::TreeDirection::kCallees, explain::Measure::kLeaked)}) {
    const std::string whole = printed({"", sample_profile, options});
    const std::string early = printed({"", early_profile, options});
    EXPECT_NE(whole.find("never freed"), std::string::npos) << whole;
    EXPECT_EQ(early.find("never freed"), std::string::npos) << early;
    EXPECT_EQ(early.find("at the end"), std::string::npos) << early;
  }
}

TEST(ReportTablesTest, NorWhereTheProgramRanOn) {
  const auto left = [] {
    HeapProfile profile = sample_profile();
    profile.ending.kind = model::ProfileEnding::Kind::kDetached;
    return profile;
  };
  const auto cut = [] {
    HeapProfile profile = sample_profile();
    profile.losses.is_cut = true;
    return profile;
  };
  for (const std::string& text :
       {printed({"", left, all_tables(80)}), printed({"", cut, all_tables(80)})}) {
    EXPECT_NE(text.find("live then        47.7 MiB in 500 blocks: not freed by then"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("never freed"), std::string::npos) << text;
  }
}

TEST(ReportTablesTest, ARecordingThatSamplesSaysNothingOfTemporaryAllocations) {
  const auto sampled = [] {
    HeapProfile profile = sample_profile();
    profile.is_estimate = true;
    profile.process.sample_bytes = 4096;
    for (model::StackProfile& stack : profile.stacks) stack.totals.temporary = {};
    return profile;
  };
  const std::string tree_text =
      printed({"", sampled, tree(explain::TreeDirection::kCallers, explain::Measure::kTemporary)});
  EXPECT_NE(tree_text.find("Not known, since the recording samples."), std::string::npos);
  EXPECT_EQ(printed({"", sampled, by(explain::Grouping::kThread)}).find("0.0%"), std::string::npos);
}

TEST(ReportTablesTest, ThreadsAddUpWhereLeaksAreSuppressed) {
  // Of which thread a suppressed block is, is not known: theirs are all that were never freed.
  std::string out;
  write_report(out, suppressed_profile(), {}, by(explain::Grouping::kThread));
  const std::string all = out.substr(out.rfind('\n', out.size() - 2) + 1);
  EXPECT_NE(all.find("47.7 MiB"), std::string::npos) << all;
}

TEST(ReportTablesTest, NamesHaveRoomWhereFiguresTakeTheLine) {
  HeapProfile profile = sample_profile();
  for (model::BlockTotals* totals : {&profile.totals, &profile.stacks[1].totals}) {
    totals->allocated.blocks += 20'000'000;
  }
  ReportOptions options = by(explain::Grouping::kFunction);
  options.style.width = kMinWidth;
  std::string out;
  write_report(out, profile, {}, options);
  expect_lines_fit(out, kMinWidth);
  EXPECT_NE(out.find("\n    app::Cache::put\n"), std::string::npos) << out;
}

TEST(ReportTreeTest, AllOfItLeavesNothingOut) {
  ReportOptions options = tree(explain::TreeDirection::kCallers, explain::Measure::kCalls);
  EXPECT_NE(printed({"", crowded_profile, options}).find("... 2,999 more"), std::string::npos);
  options.top = SIZE_MAX;
  const std::string text = printed({"", crowded_profile, options});
  EXPECT_EQ(text.find("... "), std::string::npos);
  EXPECT_NE(text.find("server+0x11b70"), std::string::npos);  // the last of 3,000
}

TEST(ReportTablesTest, NoBlockLivedLongerThanTheRecording) {
  const auto shorter = [] {
    HeapProfile profile = sample_profile();
    profile.duration_ns = 2'345'000'000;  // within the last range of lifetimes, up to 4.3 s
    return profile;
  };
  const std::string text = printed({"", shorter, all_tables(80)});
  const std::string lifetimes = text.substr(text.find("Lifetimes"), 600);
  EXPECT_NE(lifetimes.find(" 2.3 s"), std::string::npos) << lifetimes;
  EXPECT_EQ(lifetimes.find(" 4.3 s"), std::string::npos) << lifetimes;
}

TEST(ReportSummaryTest, WhyAProgramWasNotSearchedIsSaid) {
  using Kind = model::ProfileEnding::Kind;
  const auto said_of = [](Kind kind) {
    const auto unsearched = [kind] {
      HeapProfile profile = unsearched_profile();
      profile.ending.kind = kind;
      return profile;
    };
    return printed({"", unsearched, all_tables(120)});
  };
  EXPECT_TRUE(said_of(Kind::kKilled).contains("the program ended before it could be searched"));
  EXPECT_TRUE(said_of(Kind::kDetached).contains("the program was left before it ended"));
  EXPECT_TRUE(said_of(Kind::kExec).contains("the program became another one before it ended"));
  EXPECT_TRUE(said_of(Kind::kUnknown).contains("the recording has no end"));
}

HeapProfile touched_profile() {
  HeapProfile profile = sample_profile();
  profile.first_touch.state = model::FirstTouch::State::kRecorded;
  profile.first_touch.in_blocks = {.blocks = 1, .bytes = 4096};
  profile.kernel.peak_resident = Bytes{(3 << 20) + 4096};
  return profile;
}

TEST(ReportTablesTest, WhatNoPageFaultToldOfIsSaid) {
  EXPECT_TRUE(printed({"", touched_profile, all_tables(300)})
                  .contains("3 MiB more of the peak RSS came by system calls"));
  const auto all_touched = [] {
    HeapProfile profile = touched_profile();
    profile.first_touch.elsewhere = {.blocks = 768, .bytes = 3 << 20};
    return profile;
  };
  EXPECT_FALSE(printed({"", all_touched, all_tables(300)}).contains("by system calls"));
}

TEST(ReportTablesTest, StacksHaveWhatTheyWereGivenAndDidNotAskFor) {
  const auto rounded = [] {
    HeapProfile profile = sample_profile();
    profile.usable.is_known = true;
    profile.usable.totals.peak = {.blocks = 2000, .bytes = 150'000'000};
    profile.usable.totals.peak_usable_bytes = 200'000'000;
    profile.usable.stacks = {{.node = profile.stacks[1].node,
                              .block_bytes = 100'000,
                              .peak = {.blocks = 1000, .bytes = 100'000'000},
                              .peak_usable_bytes = 125'000'000}};
    return profile;
  };
  const std::string text = printed({"", rounded, all_tables(100)});
  EXPECT_TRUE(text.contains("By overallocated bytes, at the peak"));
  EXPECT_TRUE(text.contains("23.8 MiB  50.0%  97.7 KiB  122.1 KiB  app::Cache::put")) << text;
  EXPECT_TRUE(text.contains("23.8 MiB  50.0%                       stacks with small blocks of "));
  EXPECT_FALSE(printed({"", sample_profile, all_tables(100)}).contains("By overallocated"));
}

TEST(ReportTablesTest, StacksHaveWhatTheyNeverTouched) {
  const auto untouched = [] {
    HeapProfile profile = touched_profile();
    profile.first_touch.owners = {{.node = profile.stacks[1].node, .touched = {1, 25'000'000}}};
    profile.kernel.peak_resident = Bytes{20'000'000};
    return profile;
  };
  const std::string text = printed({"", untouched, all_tables(100)});
  EXPECT_TRUE(text.contains("By never-touched bytes, at the peak"));
  EXPECT_TRUE(text.contains("71.5 MiB    75.0%   1,000  app::Cache::put")) << text;
  EXPECT_FALSE(printed({"", sample_profile, all_tables(100)}).contains("By never-touched"));
}

TEST(ReportTablesTest, OfASampleOnlyPagesInRecordedBlocksAreKnown) {
  const auto sampled = [] {
    HeapProfile profile = touched_profile();
    profile.is_estimate = true;
    return profile;
  };
  EXPECT_TRUE(printed({"", sampled, all_tables(300)})
                  .contains("4 KiB in recorded blocks, 0 B in mappings of the program's own, 0 B "
                            "elsewhere, also in blocks that were not recorded "));
}

TEST(ReportTablesTest, WhatAShortProgramHeldIsNotNothing) {
  const auto text_of = [](double held_byte_ns) {
    HeapProfile profile = sample_profile();
    for (model::StackProfile& stack : profile.stacks) stack.held_byte_ns = held_byte_ns;
    const std::string text = printed({"", [&] { return profile; }, all_tables(80)});
    return text.substr(text.find("By bytes and lifetime"), 400);
  };
  EXPECT_NE(text_of(2.5e9).find(" 2 B s "), std::string::npos);
  EXPECT_NE(text_of(999e6).find(" 999 B ms "), std::string::npos);
  EXPECT_NE(text_of(1.5e3).find(" 1 B us "), std::string::npos);
}

TEST(ReportTablesTest, RowsThatLookAlikeSayWhatThePlaceCalled) {
  HeapProfile profile = sample_profile();
  const auto count = [](const std::string& text, std::string_view word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      ++found;
    }
    return found;
  };
  std::string before;
  write_report_tables(before, profile, all_tables(80));
  EXPECT_EQ(count(before, "→"), 0U);
  // The cache's stack once more, by way of operator new.
  model::StackProfile again = profile.stacks[1];
  profile.nodes.push_back(
      {.caller = again.node, .frame = profile.nodes[profile.stacks[0].node].frame});
  again.node = static_cast<std::uint32_t>(profile.nodes.size() - 1);
  profile.stacks.push_back(again);
  std::string after;
  write_report_tables(after, profile, all_tables(80));
  EXPECT_EQ(count(after, "→ operator new in libc.so.6\n"), count(before, "app::Cache::put"));
}

TEST(ReportJsonTest, IsWhatWasAgreed) {
  expect_agreed("report.json", json::parse(json_text(sample_profile())).dump(1) + "\n");
}

std::uint64_t sum(const json& list, const char* field) {
  std::uint64_t total = 0;
  for (const json& one : list) total += one.at(field).get<std::uint64_t>();
  return total;
}

TEST(ReportJsonTest, TotalsReconcile) {
  for (const HeapProfile& profile : {sample_profile(), hostile_profile(), crowded_profile()}) {
    const json report = json::parse(json_text(profile));
    const json& totals = report["totals"];
    EXPECT_EQ(sum(report["leaks"], "bytes"), totals["live_at_exit_bytes"]);
    EXPECT_EQ(sum(report["leaks"], "count"), totals["live_at_exit_blocks"]);
    EXPECT_EQ(sum(report["temporary"], "count"), totals["temporary_allocations"]);
    for (const char* list : {"stacks", "threads", "sizes"}) {
      for (const char* field : {"allocations", "allocated_bytes", "freed_blocks", "peak_live_bytes",
                                "live_at_exit_bytes", "temporary_bytes", "reallocations"}) {
        EXPECT_EQ(sum(report[list], field), totals[field]) << list << " " << field;
      }
    }
  }
}

TEST(ReportJsonTest, WhatIsLostIsToldFromWhatIsKept) {
  const json report = json::parse(json_text(searched_profile()));
  EXPECT_EQ(report["leak_scan"]["state"], "done");
  for (const json& one : {report["totals"], report["leaks"][0]}) {
    EXPECT_EQ(one["reachable_bytes"], 10'000'000);
    EXPECT_EQ(one["unreachable_bytes"], 40'000'000);
    EXPECT_EQ(one["unreachable_indirectly_blocks"], 50);
  }
  EXPECT_EQ(report["findings"][0]["kind"], "lost");
  const json unknown = json::parse(json_text(unsearched_profile()));
  EXPECT_EQ(unknown["leak_scan"]["state"], "missing");
  EXPECT_TRUE(unknown["totals"]["unreachable_bytes"].is_null());
}

TEST(ReportJsonTest, LeaksAreThoseThatNothingSuppresses) {
  const json report = json::parse(json_text(suppressed_profile()));
  const json& totals = report["totals"];
  EXPECT_TRUE(report["leaks"].empty());
  EXPECT_EQ(totals["suppressed_bytes"], totals["live_at_exit_bytes"]);
  EXPECT_EQ(sum(report["suppressions"], "bytes"), totals["suppressed_bytes"]);
  EXPECT_EQ(report["suppressions"][0]["count"], 500);
  EXPECT_EQ(report["suppressions"][2]["line"], 7);
  EXPECT_EQ(report["suppressions"][2]["stacks"], 0);
}

TEST(ReportJsonTest, HostileNamesAreWellFormed) {
  const std::string text = json_text(hostile_profile());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const json report = json::parse(text);
  EXPECT_TRUE(report["losses"]["is_cut"].get<bool>());
  EXPECT_TRUE(report["totals"]["peak_rss_bytes"].is_null());
  EXPECT_TRUE(report["stacks"].back()["frames"].empty());
}

TEST(ReportJsonTest, ProgramsWithoutARecordingAreNamed) {
  HeapProfile profile = sample_profile();
  profile.unrecorded_programs = {
      {.path = "/bin/tool\x1b", .obstacle = PreloadObstacle::kStatic, .count = 3},
      {.path = "", .obstacle = PreloadObstacle::kNone, .count = 1}};
  const json programs = json::parse(json_text(profile))["unrecorded_programs"];
  EXPECT_EQ(programs[0], (json{{"path", "/bin/tool\x1b"}, {"reason", "static"}, {"count", 3}}));
  EXPECT_EQ(programs[1], (json{{"path", nullptr}, {"reason", "unknown"}, {"count", 1}}));
  std::string text;
  write_report_summary(text, profile, {.width = 100, .unicode = true});
  EXPECT_NE(text.find("not recorded     /bin/tool\\x1b, 3 times: it is statically linked\n"),
            std::string::npos)
      << text;
}

TEST(ReportJsonTest, ListsHaveAsManyEntriesAsAsked) {
  const json report = json::parse(json_text(sample_profile(), 1));
  EXPECT_EQ(report["stacks"].size(), 1U);
  EXPECT_EQ(report["stacks"][0]["place"], "app::parse at x.cc:88");
}

TEST(ReportJsonTest, StacksOfLittleWeightAreMergedUnlessAllAreAskedFor) {
  const HeapProfile profile = crowded_profile();
  const json all = json::parse(json_text(profile, SIZE_MAX));
  const json report = json::parse(json_text(profile));
  for (const char* const path :
       {"/stacks", "/leaks", "/temporary", "/mappings", "/inherited/stacks", "/first_touch/owners",
        "/first_touch/touchers"}) {
    const json::json_pointer list(path);
    EXPECT_GE(all[list].size(), 3000U) << path;
    EXPECT_LT(report[list].size(), 1010U) << path;
    std::size_t stacks = 0;
    for (const json& one : report[list]) {
      const bool is_merged = !one["merged_stacks"].is_null();
      stacks += is_merged ? one["merged_stacks"].get<std::size_t>() : 1;
      ASSERT_FALSE(one["frames"].empty());
      // Merged ones have no callers in common.
      if (is_merged) {
        EXPECT_EQ(one["place_frame"], one["frames"].size() - 1);
      }
    }
    EXPECT_EQ(stacks, all[list].size());
    for (const json& one : all[list]) EXPECT_TRUE(one["merged_stacks"].is_null());
    for (const auto& [field, value] : all[list].front().items()) {
      const bool adds_up = value.is_number() && field.find("_ns") == std::string::npos &&
                           field != "place_frame" && field != "allocated_bytes_error";
      if (adds_up) {
        EXPECT_EQ(sum(report[list], field.c_str()), sum(all[list], field.c_str())) << field;
      }
    }
  }
}

TEST(ReportTest, WhatASampleHasNothingOfIsNotKnown) {
  const auto empty = [] {
    HeapProfile profile;
    profile.is_estimate = true;
    profile.process.sample_bytes = 1 << 30;
    return profile;
  };
  EXPECT_NE(printed({"", empty, all_tables(80)}).find("not known: no block was recorded"),
            std::string::npos);
  EXPECT_TRUE(json::parse(json_text(empty())).at("totals").at("allocated_bytes_error").is_null());
}

TEST(ReportJsonTest, EveryFieldIsDocumented) {
  expect_documented(json::parse(json_text(hostile_profile())), "report-format.md", 50);
  expect_documented(json::parse(json_text(suppressed_profile())), "report-format.md", 50);
}

}  // namespace
}  // namespace mini::views
