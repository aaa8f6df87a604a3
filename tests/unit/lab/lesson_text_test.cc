#include "lab/lesson_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/registry.h"

namespace mini::lab {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

Experiment experiment() {
  return {.id = "9.9",
          .title = "A test",
          .question = "What?",
          .sources = {},
          .predict = nullptr,
          .observe = nullptr,
          .explain = [](const Bench&) { return std::string("Because.\n\n  kept  as it is\n"); }};
}

struct Made {
  Experiment made = experiment();
  Bench bench{.machine = {.glibc_version = "2.36", .page_size = Bytes{4096}},
              .places = {},
              .style = {.width = 80, .color = false, .unicode = false},
              .command = {}};
  Lesson lesson{.experiment = &made,
                .lines = {{{"growths", "How many?", count(1), "one"}, std::nullopt, count(1)}},
                .exhibits = {}};

  std::string observation() const {
    std::string text;
    write_observation(text, lesson, bench);
    return text;
  }
};

TEST(LessonTextTest, MarksWhatHolds) {
  const Made made;
  EXPECT_THAT(made.observation(),
              HasSubstr("  ok growths                            1                   1\n"));
  EXPECT_THAT(made.observation(), Not(HasSubstr("NO")));
}

TEST(LessonTextTest, MarksWhatDoesNotAndWhatWasNotSeen) {
  Made made;
  made.lesson.lines[0].observed = count(2);
  EXPECT_THAT(made.observation(), HasSubstr("  NO growths"));
  made.lesson.lines[0].observed = std::nullopt;
  EXPECT_THAT(made.observation(), HasSubstr("not seen"));
  EXPECT_FALSE(made.lesson.holds());
}

TEST(LessonTextTest, NamesWhatTheEnvironmentAlters) {
  Made made;
  made.lesson.lines[0].observed = count(2);
  made.bench.machine.altered_by = {"MALLOC_TOP_PAD_=0"};
  EXPECT_THAT(made.observation(), HasSubstr("Your environment has MALLOC_TOP_PAD_=0."));
}

TEST(LessonTextTest, TellsTheReaderWhetherTheGuessWasRight) {
  Made made;
  made.lesson.lines[0].said = count(1);
  EXPECT_THAT(made.observation(), HasSubstr("you said 1: right"));
  made.lesson.lines[0].said = count(7);
  EXPECT_THAT(made.observation(), HasSubstr("you said 7: not so"));
  EXPECT_TRUE(made.lesson.holds()) << "the reader's mistake is not the prediction's";
}

TEST(LessonTextTest, KeepsLinesThatBeginWithASpace) {
  const Made made;
  std::string text;
  write_explanation(text, made.lesson, made.bench);
  EXPECT_THAT(text, HasSubstr("Because.\n\n  kept  as it is\n"));
}

TEST(LessonTextTest, TheLastLineSaysHowToGoOn) {
  Made made;
  std::string text;
  write_explanation(text, made.lesson, made.bench);
  EXPECT_THAT(text, Not(HasSubstr("Next:"))) << "an experiment that is not listed";
  made.lesson.experiment = find_experiment("9.1");
  write_explanation(text, made.lesson, made.bench);
  EXPECT_THAT(text, EndsWith("\n\nNext: heapspy lab 9.2\n"));
}

}  // namespace
}  // namespace mini::lab
