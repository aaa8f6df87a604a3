#include "cli/trace_arguments.h"

#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using Words = std::vector<std::string>;

TraceArguments parsed(const Words& words) {
  auto arguments = parse_trace_arguments(words);
  EXPECT_TRUE(arguments) << arguments.error().message;
  return arguments.value_or(TraceArguments{});
}

std::string refused(const Words& words) {
  const auto arguments = parse_trace_arguments(words);
  EXPECT_FALSE(arguments);
  return arguments ? "" : arguments.error().message;
}

TEST(TraceArgumentsTest, TheCommandsOptionsAreItsOwn) {
  const Words command = {"ls", "-l", "--color", "-p", "7", "--", "--json"};
  EXPECT_EQ(parsed(command).command, command);
  EXPECT_EQ(parsed(command).attach_pid, 0);
  EXPECT_FALSE(parsed(command).json_path);
}

TEST(TraceArgumentsTest, OursEndAtTheFirstWordThatIsNoOption) {
  const auto arguments =
      parsed({"--stack", "--min", "64K", "--width=100", "-o", "f", "ls", "--events"});
  EXPECT_TRUE(arguments.full_stacks);
  EXPECT_EQ(arguments.width, 100U);
  EXPECT_EQ(arguments.output_path, "f");
  EXPECT_EQ(arguments.command, (Words{"ls", "--events"}));
  EXPECT_TRUE(arguments.summary);
}

TEST(TraceArgumentsTest, TwoDashesEndOursAndGoAway) {
  EXPECT_EQ(parsed({"--", "ls", "--", "x"}).command, (Words{"ls", "--", "x"}));
  EXPECT_EQ(parsed({"--stack", "--", "--odd-name"}).command, (Words{"--odd-name"}));
}

TEST(TraceArgumentsTest, AnOptionalValueNeedsItsEqualsSign) {
  EXPECT_EQ(parsed({"ls"}).verify_every, 0U);
  EXPECT_EQ(parsed({"--verify", "ls"}).verify_every, 1U);
  EXPECT_EQ(parsed({"--verify", "ls"}).command, (Words{"ls"}));
  EXPECT_EQ(parsed({"--verify=100", "ls"}).verify_every, 100U);
  EXPECT_EQ(parsed({"--verify", "--stack", "5"}).command, (Words{"5"}));
}

TEST(TraceArgumentsTest, ShortOptionsMayHoldTheirValueOrEachOther) {
  EXPECT_EQ(parsed({"-ofile", "ls"}).output_path, "file");
  EXPECT_EQ(parsed({"-qo", "file", "ls"}).output_path, "file");
  EXPECT_TRUE(parsed({"-qo", "file", "ls"}).quiet);
  EXPECT_EQ(parsed({"-p", "12"}).attach_pid, 12);
  EXPECT_EQ(parsed({"-p12"}).attach_pid, 12);
}

TEST(TraceArgumentsTest, ADurationIsOfAProcess) {
  EXPECT_EQ(parsed({"-p", "12"}).duration_ns, 0U);
  EXPECT_EQ(parsed({"-p", "12", "--duration", "1.5s"}).duration_ns, 1'500'000'000U);
  EXPECT_NE(refused({"--duration", "1s", "ls"}).find("--pid"), std::string::npos);
  EXPECT_NE(refused({"-p", "12", "--duration", "0"}).find("longer than 0"), std::string::npos);
}

TEST(TraceArgumentsTest, PartsAreAllUnlessOneIsChosen) {
  const auto all = parsed({"ls"});
  EXPECT_TRUE(all.events && all.summary && all.layout);
  const auto one = parsed({"--layout", "ls"});
  EXPECT_TRUE(!one.events && !one.summary && one.layout);
}

TEST(TraceArgumentsTest, JsonMayGoToStandardOutput) {
  EXPECT_EQ(parsed({"--json", "-", "ls"}).json_path, "-");
  EXPECT_EQ(parsed({"--json=-", "ls"}).json_path, "-");
  EXPECT_EQ(parsed({"--json", "-", "ls"}).command, (Words{"ls"}));
}

TEST(TraceArgumentsTest, EachErrorSaysWhatToType) {
  EXPECT_EQ(refused({}), "nothing to trace: type 'heapspy trace ls' or 'heapspy trace -p PID'");
  EXPECT_EQ(refused({"--"}), refused({}));
  EXPECT_EQ(refused({"--bogus", "ls"}), "no option '--bogus': see 'heapspy trace --help'");
  EXPECT_EQ(refused({"--sumary=1", "ls"}),
            "no option '--sumary=1': did you mean '--summary'? See 'heapspy trace --help'");
  EXPECT_EQ(refused({"-z", "ls"}), "no option '-z': see 'heapspy trace --help'");
  EXPECT_EQ(refused({"-p", "1", "ls"}), "both -p PID and a command are given: choose one");
  EXPECT_NE(refused({"-p", "x"}).find("--pid"), std::string::npos);
  EXPECT_NE(refused({"-p", "0"}).find("no process has this number"), std::string::npos);
  EXPECT_NE(refused({"--min", "64X", "ls"}).find("64K"), std::string::npos);
  EXPECT_NE(refused({"--min", "", "ls"}).find("--min '' is empty"), std::string::npos);
  EXPECT_NE(refused({"-p", "12", "--duration", ""}).find("--duration ''"), std::string::npos);
  EXPECT_NE(refused({"--color", "blue", "ls"}).find("auto, always or never"), std::string::npos);
  EXPECT_NE(refused({"--width", "7", "ls"}).find("60"), std::string::npos);
  EXPECT_NE(refused({"--verify=x", "ls"}).find("--verify=100"), std::string::npos);
  EXPECT_NE(refused({"--verify=0", "ls"}).find("--verify=100"), std::string::npos);
  EXPECT_NE(refused({"--filter", "read", "ls"}).find("munmap"), std::string::npos);
  EXPECT_NE(refused({"--filter", "brk,", "ls"}).find("munmap"), std::string::npos);
  EXPECT_NE(refused({"--cause", "me", "ls"}).find("libc-startup"), std::string::npos);
  EXPECT_NE(refused({"--stack", "--no-stacks", "ls"}).find("contradict"), std::string::npos);
  EXPECT_NE(refused({"--max-frames", "-1", "ls"}).find("does not take '-1'"), std::string::npos);
  EXPECT_NE(refused({"-o"}).find("--output"), std::string::npos);
}

TEST(TraceArgumentsTest, ErrorsAreOneLine) {
  for (const Words& words : {Words{"--pid", "x"}, Words{"--max-frames", "-1", "ls"},
                             Words{"--filter"}, Words{"--quiet=maybe", "ls"}}) {
    EXPECT_EQ(refused(words).find('\n'), std::string::npos);
  }
}

TEST(TraceArgumentsTest, HelpNeedsNoTarget) {
  EXPECT_TRUE(parsed({"--help"}).help);
  EXPECT_TRUE(parsed({"-h"}).help);
  EXPECT_FALSE(parsed({"ls", "--help"}).help);
}

TEST(TraceArgumentsTest, HelpFitsATerminalAndNamesEveryOption) {
  const std::string help = trace_help();
  for (std::size_t at = 0; at < help.size();) {
    const std::size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 80U) << help.substr(at, end - at);
    at = end + 1;
  }
  for (const std::string& name : trace_option_names()) {
    EXPECT_NE(help.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mini::cli
