#include "views/output.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>

#include "sample_story.h"

namespace mini::views {
namespace {

TEST(OutputTest, ARecordIsSeenAtOnceWhereAskedFor) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kEachRecord);
  output.write("one\n");
  EXPECT_EQ(capture.text(), "");
  output.end_record();
  EXPECT_EQ(capture.text(), "one\n");
}

TEST(OutputTest, ABatchIsWrittenWhenItIsFullAndTheRestAtTheEnd) {
  Capture capture;
  {
    Output output(capture.fd(), Output::Flush::kBatched);
    output.write("first ");  // the time since the last flush is the clock's own age
    output.end_record();
    output.write(std::string(100'000, 'x'));
    output.end_record();
    EXPECT_EQ(capture.text().size(), 100'006U);
    output.write("tail");
  }
  EXPECT_EQ(capture.text().size(), 100'010U);
}

TEST(OutputTest, AClosedPipeIsRememberedAndNothingMoreIsWritten) {
  signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  close(ends[0]);
  Output output(ends[1], Output::Flush::kEachRecord);
  EXPECT_TRUE(output.healthy());
  output.write("x");
  output.end_record();
  EXPECT_FALSE(output.healthy());
  EXPECT_EQ(output.error_number(), EPIPE);
  output.write("y");
  output.end_record();
  EXPECT_TRUE(output.buffer().empty()) << "a failed output keeps no memory";
  close(ends[1]);
}

}  // namespace
}  // namespace mini::views
