// The forms of a report: text word for word, JSON by its meaning. UPDATE_GOLDEN=1
// rewrites tests/golden/ from what is printed: read the difference before committing it.
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "../explain/sample_profile.h"
#include "explain/leak_suppressions.h"
#include "sample_story.h"
#include "views/report_export.h"
#include "views/report_view.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

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

HeapProfile unsearched_profile() {
  HeapProfile profile = sample_profile();
  profile.leak_scan.state = model::LeakScan::State::kMissing;
  return profile;
}

struct Look {
  const char* name;
  HeapProfile (*profile)();
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
  const std::string path = std::string(MINI_GOLDEN_DIR) + "/" + GetParam().name + ".txt";
  const std::string text = printed(GetParam());
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " is missing: run with UPDATE_GOLDEN=1";
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str());
}

TEST_P(ReportGoldenTest, NoLineIsWiderThanAskedAndNothingIsObeyed) {
  const TextStyle& style = GetParam().options.style;
  std::istringstream lines(printed(GetParam()));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(column_width(line), style.width) << line;
    for (std::string_view rest = line; !rest.empty();) {
      const Decoded decoded = decode_utf8(rest);
      ASSERT_TRUE(decoded.valid);
      EXPECT_GE(decoded.code, 0x20U);
      EXPECT_TRUE(style.unicode || decoded.code < 0x80) << line;
      rest.remove_prefix(decoded.length);
    }
  }
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
                   std::optional<std::size_t> depth = std::nullopt) {
  ReportOptions options = all_tables(80);
  options.tree = direction;
  options.measure = measure;
  options.depth = depth;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Looks, ReportGoldenTest,
    testing::Values(Look{"report_80", sample_profile, all_tables(80)},
                    Look{"report_ascii", sample_profile, all_tables(60, false)},
                    Look{"report_hostile", hostile_profile, all_tables(80)},
                    Look{"report_searched", searched_profile, all_tables(80)},
                    Look{"report_suppressed", suppressed_profile, all_tables(80)},
                    Look{"report_by_module", sample_profile, by(explain::Grouping::kModule)},
                    Look{"report_callers", sample_profile,
                         tree(explain::TreeDirection::kCallers, explain::Measure::kCalls)},
                    Look{"report_callees", sample_profile,
                         tree(explain::TreeDirection::kCallees, explain::Measure::kPeak)},
                    Look{"report_callees_hostile", hostile_profile,
                         tree(explain::TreeDirection::kCallees, explain::Measure::kPeak, 8)}),
    [](const testing::TestParamInfo<Look>& look) { return std::string(look.param.name); });

TEST(ReportJsonTest, IsWhatWasAgreed) {
  const std::string path = std::string(MINI_GOLDEN_DIR) + "/report.json";
  const std::string text = json::parse(json_text(sample_profile())).dump(1) + "\n";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " is missing: run with UPDATE_GOLDEN=1";
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str());
}

std::uint64_t sum(const json& list, const char* field) {
  std::uint64_t total = 0;
  for (const json& one : list) total += one.at(field).get<std::uint64_t>();
  return total;
}

TEST(ReportJsonTest, TotalsReconcile) {
  for (const HeapProfile& profile : {sample_profile(), hostile_profile()}) {
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

TEST(ReportJsonTest, ListsHaveAsManyEntriesAsAsked) {
  const json report = json::parse(json_text(sample_profile(), 1));
  EXPECT_EQ(report["stacks"].size(), 1U);
  EXPECT_EQ(report["stacks"][0]["place"], "app::parse at x.cc:88");
}

void collect_names(const json& value, std::set<std::string>& names) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items()) {
      names.insert(name);
      collect_names(inner, names);
    }
  } else if (value.is_array()) {
    for (const json& inner : value) collect_names(inner, names);
  }
}

TEST(ReportJsonTest, EveryFieldIsDocumented) {
  std::ifstream file(std::string(MINI_DOCS_DIR) + "/report-format.md");
  std::ostringstream document;
  document << file.rdbuf();
  std::set<std::string> names;
  collect_names(json::parse(json_text(hostile_profile())), names);
  collect_names(json::parse(json_text(suppressed_profile())), names);
  EXPECT_GT(names.size(), 50U);
  for (const std::string& name : names) {
    EXPECT_NE(document.str().find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mini::views
