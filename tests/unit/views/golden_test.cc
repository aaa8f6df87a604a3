// The terminal form, word for word. UPDATE_GOLDEN=1 rewrites tests/golden/ from what is printed:
// read the difference before committing it.
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "sample_story.h"
#include "views/terminal_view.h"
#include "views/utf8.h"

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

TEST_P(GoldenTest, NoLineIsWiderThanAsked) {
  if (GetParam().style.color) GTEST_SKIP() << "colours have no width";
  std::istringstream lines(printed(GetParam()));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(column_width(line), GetParam().style.width) << line;
  }
}

TEST_P(GoldenTest, NothingReachesTheTerminalThatItWouldObey) {
  const TextStyle& style = GetParam().style;
  const std::string text = printed(GetParam());
  for (std::string_view rest = text; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    ASSERT_TRUE(decoded.valid);
    const bool ours = decoded.code == '\n' || (decoded.code == 0x1b && style.color);
    const bool control = decoded.code < 0x20 || (decoded.code >= 0x7f && decoded.code < 0xa0) ||
                         decoded.code == 0x202e;
    EXPECT_TRUE(ours || !control) << static_cast<std::uint32_t>(decoded.code);
    EXPECT_TRUE(style.unicode || decoded.code < 0x80);
    rest.remove_prefix(decoded.length);
  }
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
