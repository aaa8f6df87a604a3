#include "cli/lab_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LabArguments parsed(const std::vector<std::string>& words) {
  const auto arguments = parse_lab_arguments(words);
  EXPECT_TRUE(arguments) << arguments.error().message;
  return arguments.value_or(LabArguments{});
}

std::string refusal(const std::vector<std::string>& words) {
  const auto arguments = parse_lab_arguments(words);
  EXPECT_FALSE(arguments);
  return arguments ? "" : arguments.error().message;
}

TEST(LabArgumentsTest, WithoutAnExperimentItIsTheList) {
  EXPECT_EQ(parsed({}).id, "");
  EXPECT_TRUE(parsed({"--json"}).json);
}

TEST(LabArgumentsTest, AnExperimentMayTakeACommand) {
  EXPECT_EQ(parsed({"0.3"}).id, "0.3");
  EXPECT_THAT(parsed({"0.1", "--", "ls", "-l"}).command, ElementsAre("ls", "-l"));
  EXPECT_THAT(parsed({"0.1", "ls", "--json"}).command, ElementsAre("ls", "--json"));
  EXPECT_FALSE(parsed({"0.1", "ls", "--json"}).json) << "the command's own";
  EXPECT_THAT(refusal({"0.3", "ls"}), HasSubstr("leave out 'ls'"));
}

TEST(LabArgumentsTest, OptionsMayFollowTheExperiment) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--json", "--width", "90", "0.1", "--", "ls"},
        {"0.1", "--json", "--width=90", "ls"},
        {"--json", "0.1", "--width", "90", "--", "ls"}}) {
    const LabArguments arguments = parsed(words);
    EXPECT_TRUE(arguments.json);
    EXPECT_EQ(arguments.width, 90U);
    EXPECT_EQ(arguments.id, "0.1");
    EXPECT_THAT(arguments.command, ElementsAre("ls"));
  }
}

TEST(LabArgumentsTest, TheGlossaryTakesAWord) {
  const LabArguments arguments = parsed({"glossary", "top", "chunk"});
  EXPECT_TRUE(arguments.glossary);
  EXPECT_THAT(arguments.words, ElementsAre("top", "chunk"));
  EXPECT_THAT(refusal({"--ask", "glossary"}), HasSubstr("--ask"));
}

TEST(LabArgumentsTest, SaysWhatToType) {
  EXPECT_THAT(refusal({"0.99"}), HasSubstr("no experiment '0.99': 'heapspy lab' lists them"));
  EXPECT_THAT(refusal({"glosary", "chunk"}), HasSubstr("did you mean 'glossary'? 'heapspy lab'"));
  EXPECT_THAT(refusal({"--ask"}), HasSubstr("needs an experiment"));
  EXPECT_THAT(refusal({"--ask", "--json", "0.3"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--html", "out", "0.3"}), HasSubstr("'heapspy lab --html DIR' and no more"));
  EXPECT_THAT(refusal({"--html="}), HasSubstr("--html"));
  EXPECT_THAT(refusal({"--no-such"}), HasSubstr("--no-such"));
}

}  // namespace
}  // namespace mini::cli
