#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace mini::cli {
namespace {

Surroundings terminal(std::size_t columns) {
  Surroundings around;
  around.is_terminal = true;
  around.terminal_columns = columns;
  around.term = "xterm";
  around.locale = "en_US.UTF-8";
  return around;
}

TEST(TerminalTest, WidthIsAskedForThenColumnsThenTheTerminalsThen80) {
  Surroundings around = terminal(100);
  EXPECT_EQ(choose_style(around, ColorChoice::kAuto, 66).width, 66U);
  EXPECT_EQ(choose_style(around, ColorChoice::kAuto, std::nullopt).width, 100U);
  around.columns = "90";
  EXPECT_EQ(choose_style(around, ColorChoice::kAuto, std::nullopt).width, 90U);
  EXPECT_EQ(choose_style({}, ColorChoice::kAuto, std::nullopt).width, 80U);
}

TEST(TerminalTest, WidthByItselfStaysReadable) {
  EXPECT_EQ(choose_style(terminal(20), ColorChoice::kAuto, std::nullopt).width, views::kMinWidth);
  EXPECT_EQ(choose_style(terminal(400), ColorChoice::kAuto, std::nullopt).width, 120U);
}

TEST(TerminalTest, NonsenseInColumnsIsIgnored) {
  for (const char* nonsense : {"", "0", "-5", "80x", "99999999999999999999999"}) {
    Surroundings around = terminal(100);
    around.columns = nonsense;
    EXPECT_EQ(choose_style(around, ColorChoice::kAuto, std::nullopt).width, 100U) << nonsense;
  }
}

TEST(TerminalTest, ColourIsForTerminalsThatAskNotToBeSpared) {
  const auto colored = [](const Surroundings& around, ColorChoice choice) {
    return choose_style(around, choice, std::nullopt).color;
  };
  Surroundings around = terminal(80);
  EXPECT_TRUE(colored(around, ColorChoice::kAuto));
  EXPECT_FALSE(colored(around, ColorChoice::kNever));
  EXPECT_TRUE(colored({}, ColorChoice::kAlways));
  EXPECT_FALSE(colored({}, ColorChoice::kAuto));
  around.no_color = "";
  EXPECT_TRUE(colored(around, ColorChoice::kAuto)) << "an empty NO_COLOR says nothing";
  around.no_color = "1";
  EXPECT_FALSE(colored(around, ColorChoice::kAuto));
  EXPECT_TRUE(colored(around, ColorChoice::kAlways)) << "the option is stronger";
  around.no_color.reset();
  around.term = "dumb";
  EXPECT_FALSE(colored(around, ColorChoice::kAuto));
}

TEST(TerminalTest, SequencesAreForTerminalsThatKnowThem) {
  Surroundings around = terminal(80);
  EXPECT_TRUE(has_sequences(around));
  around.term = "dumb";
  EXPECT_FALSE(has_sequences(around));
  EXPECT_FALSE(has_sequences({}));
}

TEST(TerminalTest, OnlyAUtf8LocaleGetsUnicode) {
  for (const char* locale : {"en_US.UTF-8", "C.utf8", "de_DE.UTF-8@euro"}) {
    Surroundings around;
    around.locale = locale;
    EXPECT_TRUE(choose_style(around, ColorChoice::kAuto, std::nullopt).unicode) << locale;
  }
  for (const char* locale : {"", "C", "POSIX", "de_DE.ISO-8859-1"}) {
    Surroundings around;
    around.locale = locale;
    EXPECT_FALSE(choose_style(around, ColorChoice::kAuto, std::nullopt).unicode) << locale;
  }
}

TEST(TerminalTest, AComplaintIsOneLineThatATerminalDoesNotObey) {
  testing::internal::CaptureStderr();
  print_complaint("heapspy", "no file 'a\nb\x1b[2J'");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "heapspy: no file 'a\\nb\\x1b[2J'\n");
}

}  // namespace
}  // namespace mini::cli
