#include "views/output.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <sys/time.h>
#include <thread>
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

volatile std::sig_atomic_t hurries = 0;
int full_pipe = -1;

void hurry_when_full(int) {
  pollfd room{.fd = full_pipe, .events = POLLOUT, .revents = 0};
  if (poll(&room, 1, 0) == 0) hurries = 1;
}

TEST(OutputTest, WhatNobodyReadsIsKeptWhereItIsNotToBeWaitedFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  full_pipe = ends[1];
  struct sigaction action{};
  action.sa_handler = hurry_when_full;
  struct sigaction before{};
  sigaction(SIGALRM, &action, &before);
  const itimerval soon{{0, 10'000}, {0, 10'000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  const std::string text(1'000'000, 'x');
  Output output(ends[1], Output::Flush::kEachRecord, [] { return hurries != 0; });
  output.write(text);
  output.end_record();
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  const std::size_t kept = output.buffer().size();
  EXPECT_TRUE(output.healthy());
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, text.size()) << "what there was room for is written";
  output.write("y");
  output.end_record();
  EXPECT_EQ(output.buffer().size(), kept + 1);

  hurries = 0;
  std::string read_text;
  std::thread reader([&] {
    std::array<char, 65536> some{};
    for (ssize_t count = 0; (count = read(ends[0], some.data(), some.size())) > 0;) {
      read_text.append(some.data(), static_cast<std::size_t>(count));
    }
  });
  output.flush();
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_TRUE(output.buffer().empty());
  EXPECT_EQ(read_text, text + "y");
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
