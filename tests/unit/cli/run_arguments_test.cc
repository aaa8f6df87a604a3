#include "cli/run_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Result<RunArguments> parse(std::vector<std::string> words) {
  return parse_run_arguments(words);
}

TEST(RunArgumentsTest, TheCommandBeginsAtTheFirstWordThatIsNoOption) {
  const auto arguments = parse({"ls", "--stats", "-l"});
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->command, ElementsAre("ls", "--stats", "-l"));
  EXPECT_TRUE(arguments->settings.empty());
}

TEST(RunArgumentsTest, OptionsBecomeSettingsInTheirOrder) {
  const auto arguments = parse({"--set", "RETAIN=1M", "--stats", "--set=STATS=all", "--", "ls"});
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->command, ElementsAre("ls"));
  EXPECT_THAT(arguments->settings,
              ElementsAre(Pair("STATS", "1"), Pair("RETAIN", "1M"), Pair("STATS", "all")));
}

TEST(RunArgumentsTest, AValueMayHaveEqualsSignsOrNothing) {
  const auto arguments = parse({"--set", "A=b=c", "--set", "D=", "ls"});
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->settings, ElementsAre(Pair("A", "b=c"), Pair("D", "")));
}

TEST(RunArgumentsTest, TheLibraryCanBeChosen) {
  const auto arguments = parse({"--library", "x.so", "ls"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->library, "x.so");
}

TEST(RunArgumentsTest, SaysWhatIsWrong) {
  EXPECT_THAT(parse({}).error().message, HasSubstr("heapspy run ls"));
  EXPECT_THAT(parse({"--stats"}).error().message, HasSubstr("nothing to run"));
  EXPECT_THAT(parse({"--set", "RETAIN", "ls"}).error().message, HasSubstr("--set RETAIN=64M"));
  EXPECT_THAT(parse({"--set", "LD_PRELOAD X=1", "ls"}).error().message, HasSubstr("--set"));
  EXPECT_THAT(parse({"--nonsense", "ls"}).error().message, HasSubstr("'--nonsense'"));
  EXPECT_THAT(parse({"--library"}).error().message, HasSubstr("heapspy run --help"));
}

TEST(RunArgumentsTest, HelpNeedsNoCommand) {
  const auto arguments = parse({"--help"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->help);
}

}  // namespace
}  // namespace mini::cli
