// On real pseudo terminals.
#include "lab/target_output.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace mini::lab {
namespace {

void print(int fd, std::string_view text) {
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST(TargetOutputTest, NothingIsLostWhereTheLastLineAndTheEndComeTogether) {
  for (int round = 0; round < 4'000; ++round) {
    const auto output = TargetOutput::open();
    ASSERT_TRUE(output) << output.error().message;
    std::thread program([&] {
      for (const std::string_view line : {"one\n", "two\n", "three\n"}) {
        print((*output)->write_end(), line);
      }
      (*output)->close_write_end();
    });
    std::string text;
    const bool is_marked = (*output)->read_to_line("-- look: ", &text);
    program.join();
    EXPECT_FALSE(is_marked);
    ASSERT_EQ(text, "one\ntwo\nthree\n") << "in round " << round;
  }
}

TEST(TargetOutputTest, AMarkedLineIsTheLastOfItsPart) {
  const auto output = TargetOutput::open();
  ASSERT_TRUE(output) << output.error().message;
  print((*output)->write_end(), "one\n-- look: here\nthree\n");
  (*output)->close_write_end();
  std::string text;
  EXPECT_TRUE((*output)->read_to_line("-- look: ", &text));
  EXPECT_EQ(text, "one\n-- look: here\n");
  EXPECT_FALSE((*output)->read_to_line("-- look: ", &text));
  EXPECT_EQ(text, "three\n");
}

TEST(TargetOutputTest, IsReadWhileTheProgramPrints) {
  const auto output = TargetOutput::open();
  ASSERT_TRUE(output) << output.error().message;
  (*output)->start();
  const std::string long_text(1 << 20, 'x');  // more than a terminal or a pipe holds
  for (std::string_view left = long_text; !left.empty();) {
    const ssize_t written = ::write((*output)->write_end(), left.data(), left.size());
    ASSERT_GT(written, 0);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  EXPECT_EQ((*output)->collect(), long_text);
}

}  // namespace
}  // namespace mini::lab
