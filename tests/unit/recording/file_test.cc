// Real files, pipes and devices: where recordings are written to and read from.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>

#include "recordings.h"
#include "support/temporary_folder.h"

namespace mini::recording {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(File, ReadByItsPath) {
  const SmallRecording small = small_recording();
  const test::TemporaryFolder folder;
  const std::string path = folder / "small.heapspy";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(small.file.data()),
             static_cast<std::streamsize>(small.file.size()));
  Remembered read;
  const auto summary = read_recording(path, read);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(read.events, small.events);
}

TEST(File, ReadFromAPipe) {
  const SmallRecording small = small_recording();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread feeder([&] {
    for (const std::byte& byte : small.file) {  // each read is short
      ASSERT_EQ(::write(ends[1], &byte, 1), 1);
    }
    ::close(ends[1]);
  });
  Remembered read;
  const auto summary = read_recording("/dev/fd/" + std::to_string(ends[0]), read);
  feeder.join();
  ::close(ends[0]);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(read.events, small.events);
  EXPECT_FALSE(summary->damage.is_cut);
}

TEST(File, WhatCannotBeRead) {
  Remembered read;
  const auto missing = read_recording("/no/such.heapspy", read);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot read '/no/such.heapspy': No such file or directory");
  EXPECT_EQ(missing.error().error_number, ENOENT);
  const auto folder = read_recording(testing::TempDir(), read);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "cannot read '" + testing::TempDir() + "': Is a directory");
  const auto empty = read_recording("/dev/null", read);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().message, "'/dev/null' is empty: no recording was begun in it");
}

TEST(File, AFullDiskIsSaid) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  const auto writer = Writer::create(full, {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().error_number, ENOSPC);
  EXPECT_THAT(writer.error().message,
              StartsWith("the recording cannot be written: No space left on device"));
  EXPECT_THAT(writer.error().message, HasSubstr("make room"));
}

TEST(File, AnErrorSticks) {
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto writer = Writer::create(ends[1], {});
  ASSERT_TRUE(writer);
  ::close(ends[0]);
  (*writer)->add(Free{1, 1, Address{1}, 0});
  EXPECT_EQ((*writer)->flush().error().error_number, EPIPE);
  const std::uint64_t written_bytes = (*writer)->written_bytes();
  (*writer)->add(Free{2, 1, Address{1}, 0});
  EXPECT_EQ((*writer)->event_count(), 0U);  // none is in the file
  EXPECT_EQ((*writer)->flush().error().error_number, EPIPE);
  EXPECT_EQ((*writer)->finish({}).error().error_number, EPIPE);
  EXPECT_EQ((*writer)->written_bytes(), written_bytes);
  std::signal(SIGPIPE, old_handler);
}

// More than a pipe holds, into one that does not block.
TEST(File, WaitsForASlowReader) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  ASSERT_EQ(::fcntl(ends[0], F_SETFL, 0), 0);
  constexpr std::uint64_t kEvents = 300'000;
  std::thread writing([&] {
    auto writer = Writer::create(ends[1], {});
    ASSERT_TRUE(writer);
    for (std::uint64_t i = 0; i < kEvents; ++i) {
      (*writer)->add(Free{i * 1000, 1, Address{i * 0x9E3779B97F4A7C15}, 0});
    }
    ASSERT_TRUE((*writer)->finish({}));
  });
  Remembered read;
  const auto summary = read_recording("/dev/fd/" + std::to_string(ends[0]), read);
  writing.join();
  ::close(ends[0]);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->frees, kEvents);
  EXPECT_FALSE(summary->damage.is_cut);
}

}  // namespace
}  // namespace mini::recording
