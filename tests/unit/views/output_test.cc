#include "views/output.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <optional>
#include <string>
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

std::uint64_t most_wait = 0;

/// A pipe that nobody reads yet, and an output to it.
class UnreadTest : public testing::Test {
 protected:
  void SetUp() override {
    most_wait = 0;
    ASSERT_EQ(pipe(ends_.data()), 0);
    output_.emplace(ends_[1], Output::Flush::kEachRecord, [] { return most_wait; });
  }
  void write(std::size_t size) {
    const std::string text(size, static_cast<char>('a' + records_++ % 26));
    written_ += text;
    output_->write(text);
    output_->end_record();
  }
  /// Reads all, in the end also what is written then.
  void expect_all_is_read() {
    most_wait = Output::kForever;
    std::string read_text;
    std::thread reader([&] { read_text = read_all(); });
    output_->flush();
    EXPECT_TRUE(output_->takes_more());
    EXPECT_TRUE(output_->healthy());
    EXPECT_TRUE(output_->buffer().empty());
    close(ends_[1]);
    reader.join();
    close(ends_[0]);
    EXPECT_EQ(read_text, written_);
  }
  std::string read_all() {
    std::string text;
    std::array<char, 65536> some{};
    for (ssize_t count = 0; (count = read(ends_[0], some.data(), some.size())) > 0;) {
      text.append(some.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

  static constexpr std::size_t kMuch = 3 << 20;

  std::array<int, 2> ends_{};
  std::optional<Output> output_;
  std::string written_;
  int records_ = 0;
};

TEST_F(UnreadTest, ALittleIsKeptAndNotWaitedFor) {
  most_wait = Output::kForever - 1;
  write(500'000);
  const std::size_t kept = output_->buffer().size();
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, 500'000U) << "what there was room for is written";
  write(1);
  EXPECT_EQ(output_->buffer().size(), kept + 1);
  EXPECT_TRUE(output_->takes_more());
  expect_all_is_read();
}

TEST_F(UnreadTest, MuchIsWaitedForOnceAndThenNoMoreIsTaken) {
  most_wait = 1'000'000;
  write(kMuch);
  EXPECT_FALSE(output_->takes_more());
  most_wait = Output::kForever - 1;
  write(1);
  EXPECT_FALSE(output_->takes_more()) << "and nobody waited";
  expect_all_is_read();
}

TEST_F(UnreadTest, MoreIsTakenOnceAGoodPartIsRead) {
  write(kMuch);
  EXPECT_FALSE(output_->takes_more());
  std::array<char, 4096> some{};
  std::size_t read_count = 0;
  while (!output_->takes_more()) {
    const ssize_t count = read(ends_[0], some.data(), some.size());
    ASSERT_GT(count, 0);
    ASSERT_EQ(written_.compare(read_count, static_cast<std::size_t>(count),
                               std::string_view(some.data(), static_cast<std::size_t>(count))),
              0);
    read_count += static_cast<std::size_t>(count);
    output_->end_record();
  }
  EXPECT_GT(read_count, kMuch / 2);
  EXPECT_LT(read_count, kMuch);
  written_.erase(0, read_count);
  expect_all_is_read();
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
