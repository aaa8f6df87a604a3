// The terminal form, word for word. UPDATE_GOLDEN=1 rewrites tests/golden/ from what is printed:
// read the difference before committing it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agreed_text.h"
#include "sample_story.h"
#include "views/terminal_view.h"

namespace mini::views {
namespace {

struct Look {
  const char* name;
  SampleStory (*story)();
  TextStyle style;
  bool full_stacks = false;
};

// What GoogleTest, and so ctest, tells of a look: not its bytes, which hold addresses.
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for that name.
void PrintTo(const Look& look, std::ostream* out) {
  *out << look.name;
}

std::string printed(const Look& look) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kBatched);
  TerminalOptions options;
  options.style = look.style;
  options.full_stacks = look.full_stacks;
  TerminalTraceView view(output, options);
  play_into(look.story(), view);
  return capture.text();
}

class GoldenTest : public testing::TestWithParam<Look> {};

TEST_P(GoldenTest, PrintsWhatWasAgreed) {
  expect_agreed(std::string(GetParam().name) + ".txt", printed(GetParam()));
}

TEST_P(GoldenTest, NoLineIsWiderThanAsked) {
  if (GetParam().style.color) GTEST_SKIP() << "colours have no width";
  expect_lines_fit(printed(GetParam()), GetParam().style.width);
}

TEST_P(GoldenTest, NoLineEndsInBlanks) {
  EXPECT_FALSE(printed(GetParam()).contains(" \n"));
}

TEST_P(GoldenTest, NothingReachesTheTerminalThatItWouldObey) {
  expect_nothing_obeyed(printed(GetParam()), GetParam().style);
}

INSTANTIATE_TEST_SUITE_P(
    Looks, GoldenTest,
    testing::Values(Look{"heap_spy_80", heap_spy_story, {.width = 80}},
                    Look{"heap_spy_120", heap_spy_story, {.width = 120}},
                    Look{"heap_spy_ascii", heap_spy_story, {.width = 80, .unicode = false}},
                    Look{"heap_spy_color", heap_spy_story, {.width = 80, .color = true}},
                    Look{"heap_spy_stacks", heap_spy_story, {.width = 80}, true},
                    Look{"family_80", family_story, {.width = 80}},
                    Look{"hostile_80", hostile_story, {.width = 80}, true},
                    Look{"hostile_ascii", hostile_story, {.width = 60, .unicode = false}, true}),
    [](const auto& look) { return std::string(look.param.name); });

TEST(TerminalViewTest, AFullDiskIsNoticedAndSilent) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Output output(full, Output::Flush::kEachRecord);
  TerminalTraceView view(output, {});
  const SampleStory story = heap_spy_story();
  EXPECT_TRUE(view.healthy());
  play_into(story, view);
  EXPECT_FALSE(view.healthy());
  EXPECT_EQ(output.error_number(), ENOSPC);
  ::close(full);
}

}  // namespace
}  // namespace mini::views
