#include "cli/report_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/duration.h"
#include "cli/read_progress.h"

namespace mini::cli {
namespace {

using Words = std::vector<std::string>;

ReportArguments parsed(const Words& words) {
  auto arguments = parse_report_arguments(words);
  EXPECT_TRUE(arguments.has_value()) << arguments.error().message;
  return arguments.value_or(ReportArguments{});
}

std::string refused(const Words& words) {
  const auto arguments = parse_report_arguments(words);
  EXPECT_FALSE(arguments.has_value());
  return arguments ? std::string() : arguments.error().message;
}

TEST(ReportArgumentsTest, OptionsMayBeBeforeAndAfterTheFile) {
  for (const Words& words :
       {Words{"--tree", "--top", "5", "a.heapspy"}, Words{"a.heapspy", "--top=5", "--tree"},
        Words{"--top", "5", "--tree=callees", "--", "a.heapspy"}}) {
    const ReportArguments arguments = parsed(words);
    EXPECT_EQ(arguments.file, "a.heapspy");
    EXPECT_EQ(arguments.top, 5U);
    EXPECT_EQ(arguments.tree, explain::TreeDirection::kCallees);
  }
  EXPECT_EQ(parsed({"--", "--tree"}).file, "--tree");
}

TEST(ReportArgumentsTest, ReadsEveryOption) {
  const ReportArguments arguments = parsed({"--by",
                                            "module",
                                            "--measure",
                                            "temporary",
                                            "--top",
                                            "7",
                                            "--focus",
                                            "a|b",
                                            "--between",
                                            "1.5s",
                                            "2m",
                                            "-o",
                                            "out",
                                            "--color",
                                            "always",
                                            "--width",
                                            "100",
                                            "--fail-on-leak=1K",
                                            "--suppressions",
                                            "known.supp",
                                            "f"});
  EXPECT_EQ(arguments.by, explain::Grouping::kModule);
  EXPECT_EQ(arguments.measure, explain::Measure::kTemporary);
  EXPECT_EQ(arguments.top, 7U);
  EXPECT_EQ(arguments.focus, "a|b");
  EXPECT_EQ(arguments.span, (model::TimeSpan{1'500'000'000, 120'000'000'000, true}));
  EXPECT_EQ(arguments.output_path, "out");
  EXPECT_EQ(parsed({"-o", "-", "a"}).output_path, std::nullopt);
  EXPECT_EQ(arguments.suppressions_path, "known.supp");
  EXPECT_EQ(arguments.color, ColorChoice::kAlways);
  EXPECT_EQ(arguments.width, 100U);
  EXPECT_EQ(arguments.most_leaked, Bytes{1024});
  EXPECT_EQ(parsed({"--tree=callers", "f"}).tree, explain::TreeDirection::kCallers);
  EXPECT_EQ(
      parsed({"--tree", "--by", "size", "--depth", "3", "--measure", "calls", "--focus", "x", "f"})
          .by,
      explain::Grouping::kSize);
  EXPECT_EQ(parsed({"--depth", "0", "f"}).depth, 0U);
  EXPECT_EQ(parsed({"--at", "340ms", "f"}).span, (model::TimeSpan{0, 340'000'000}));
  EXPECT_EQ(parsed({"--json", "f"}).form, ReportForm::kJson);
  EXPECT_EQ(parsed({"--top", "all", "f"}).top, SIZE_MAX);
  EXPECT_EQ(parsed({"--export=folded", "f"}).exported, find_export_form("folded"));
  EXPECT_EQ(parsed({"--export", "sqlite", "-o", "x.db", "f"}).form, ReportForm::kExport);
  EXPECT_EQ(parsed({"--fail-on-leak", "f"}).most_leaked, Bytes{0});
  EXPECT_FALSE(parsed({"f"}).most_leaked.has_value());
}

TEST(ReportArgumentsTest, RefusesInOneLineWithWhatToType) {
  EXPECT_EQ(refused({}), "which recording? type 'heapspy report FILE.heapspy'");
  EXPECT_EQ(refused({"a", "b"}), "one recording at a time: leave out 'b'");
  EXPECT_EQ(refused({"--by", "line", "f"}),
            "--by line: choose function, file, module, thread or size");
  EXPECT_EQ(refused({"--between", "2s", "1s", "f"}),
            "--between 2s 1s: type the earlier time first");
  EXPECT_EQ(refused({"--between", "1s", "1000ms", "f"}),
            "--between 1s 1000ms: the second time must be later than the first");
  EXPECT_EQ(
      refused({"--by", "thread", "--focus", "x", "f"}),
      "--focus chooses stacks, and --by thread has none: leave one of them out, or add --tree");
  EXPECT_EQ(refused({"--tree", "callers", "f"}), "--tree callers: type --tree=callers");
  EXPECT_EQ(refused({"--fail-on-leak", "64K", "f"}), "--fail-on-leak 64K: type --fail-on-leak=64K");
  EXPECT_EQ(refused({"f", "--tree", "callers"}), "--tree callers: type --tree=callers");
  EXPECT_EQ(refused({"f", "--fail-on-leak", "64K"}), "--fail-on-leak 64K: type --fail-on-leak=64K");
  EXPECT_EQ(refused({"--nonsense", "f"}), "no option '--nonsense': see 'heapspy report --help'");
  EXPECT_EQ(refused({"--export", "svg", "f"}),
            "--export svg: choose folded, flamegraph, pprof, speedscope, perfetto or sqlite");
  EXPECT_EQ(refused({"--export", "sqlite", "f"}),
            "--export sqlite writes a file: say which, with -o FILE");
  EXPECT_THAT(refused({"--export", "sqlite", "-o", "-", "f"}), testing::HasSubstr("-o FILE"));
  EXPECT_EQ(refused({"--export", "perfetto", "--focus", "x", "f"}),
            "--focus has nothing to choose in --export perfetto: leave it out");
  EXPECT_EQ(refused({"--export", "sqlite", "-o", "x.db", "--at", "1s", "f"}),
            "--at has nothing to choose in --export sqlite: leave it out");
  EXPECT_EQ(refused({"--export", "sqlite", "-o", "x.db", "--suppressions", "s", "f"}),
            "--suppressions has nothing to choose in --export sqlite: leave it out");
  for (const Words& words :
       {Words{"--tree=up", "f"}, Words{"--at", "x", "f"},
        Words{"--at", "1s", "--between", "1s", "2s", "f"}, Words{"--measure", "lifetime", "f"},
        Words{"--json", "--export", "folded", "f"}, Words{"--json", "--tree", "f"},
        Words{"--top", "0", "f"}, Words{"--top", "-1", "f"}, Words{"--top", "3x", "f"},
        Words{"--width", "5", "f"}, Words{"--depth", "99999", "f"}, Words{"--focus", "", "f"},
        Words{"--color", "red", "f"}, Words{"--fail-on-leak=big", "f"}, Words{"--between", "1s"},
        Words{"--top"}}) {
    EXPECT_EQ(refused(words).find('\n'), std::string::npos);
  }
}

TEST(ReportArgumentsTest, HelpFitsATerminalAndNamesEveryOption) {
  EXPECT_TRUE(parsed({"--help"}).help);
  const std::string help = report_help();
  for (std::size_t at = 0; at < help.size();) {
    const std::size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 80U) << help.substr(at, end - at);
    at = end + 1;
  }
  for (const std::string& name : report_option_names()) {
    EXPECT_NE(help.find(name), std::string::npos) << name;
  }
}

TEST(ReportFormsTest, EveryFormIsInTheHelp) {
  const std::string help = report_help();
  for (const ExportForm& form : export_forms()) {
    EXPECT_NE(help.find(form.name), std::string::npos) << form.name;
  }
}

TEST(DurationTest, ReadsUnits) {
  EXPECT_EQ(parse_duration("12.5s"), 12'500'000'000U);
  EXPECT_EQ(parse_duration("3"), 3'000'000'000U);
  EXPECT_EQ(parse_duration("340ms"), 340'000'000U);
  EXPECT_EQ(parse_duration("7us"), 7000U);
  EXPECT_EQ(parse_duration("7ns"), 7U);
  EXPECT_EQ(parse_duration("2m"), 120'000'000'000U);
  EXPECT_EQ(parse_duration("1h"), 3600'000'000'000U);
  for (const char* text : {"", "s", "-1s", "1 s", "1d", "inf", "nan", "1e3"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_duration("99999999999999999999").has_value());
}

TEST(ReadProgressTest, GuessesTheRestFromWhatIsRead) {
  EXPECT_EQ(progress_text("reading", 25, 100, 1'000'000'000), "reading: 25%, 3.0 s to go");
  EXPECT_EQ(progress_text("reading", 0, 100, 1'000'000'000), "reading: 0%");
  EXPECT_EQ(progress_text("the process waits", 5, 0, 0), "the process waits: 100%, 0 ns to go");
}

TEST(ReportArgumentsTest, WhatHasNoEffectIsRefused) {
  EXPECT_EQ(refused({"--fail-on-leak=", "x"}),
            "--fail-on-leak= has no value: type one, or leave out the =");
  EXPECT_NE(refused({"--export", "folded", "--top", "5", "x"}).find("--top"), std::string::npos);
  EXPECT_NE(refused({"--export", "folded", "--depth", "5", "x"}).find("--depth"),
            std::string::npos);
  EXPECT_EQ(refused({"--json", "--measure", "peak", "x"}),
            "--measure has nothing to choose in --json: leave it out");
  EXPECT_EQ(refused({"--json", "--depth", "5", "x"}),
            "--depth has nothing to choose in --json: leave it out");
  EXPECT_EQ(refused({"--by", "module", "--depth", "5", "x"}),
            "--depth has nothing to choose in --by module: leave it out");
  EXPECT_EQ(refused({"--by", "size", "--measure", "calls", "x"}),
            "--measure has nothing to choose in --by size: leave it out");
  EXPECT_EQ(refused({"--by", "size", "--top", "5", "x"}),
            "--top has nothing to choose in --by size: leave it out");
}

}  // namespace
}  // namespace mini::cli
