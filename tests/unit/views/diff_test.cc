// The forms of a diff: text word for word, JSON by its meaning. UPDATE_GOLDEN=1 rewrites
// tests/golden/ from what is printed: read the difference before committing it.
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "../explain/sample_profile.h"
#include "explain/diff_findings.h"
#include "sample_story.h"
#include "views/diff_view.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

using explain::changed_profile;
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

TEST_P(DiffGoldenTest, NoLineIsWiderThanAskedAndNothingIsObeyed) {
  const TextStyle& style = GetParam().options.style;
  std::istringstream lines(printed(GetParam()));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(column_width(line), style.width) << line;
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20U) << line;
  }
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
  for (const HeapProfile& after : {changed_profile(), hostile_profile()}) {
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

TEST(DiffJsonTest, EveryFieldIsDocumented) {
  std::ifstream file(std::string(MINI_DOCS_DIR) + "/diff-format.md");
  std::ostringstream document;
  document << file.rdbuf();
  std::set<std::string> names;
  const std::string text =
      json_text(sample_profile(), changed_profile(), explain::Grouping::kFunction);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  collect_names(json::parse(text), names);
  EXPECT_GT(names.size(), 40U);
  for (const std::string& name : names) {
    EXPECT_NE(document.str().find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mini::views
