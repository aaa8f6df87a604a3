// What an event costs on disk: the promise of the format, on a trace that is the same everywhere.
#include <gtest/gtest.h>

#include "recordings.h"

namespace mini::recording {
namespace {

double bytes_per_event(const MadeProgram::Shape& shape) {
  constexpr int kSteps = 400'000;
  MadeProgram program(shape);
  std::uint64_t events = 0;
  const FileBytes file = written({}, [&](Writer& writer) {
    for (int i = 0; i < kSteps; ++i) {
      program.step([&](const Allocation& event) { writer.add(event); },
                   [&](const Free& event) { writer.add(event); });
    }
    events = writer.event_count();
    ASSERT_TRUE(writer.finish({}));
  });
  return static_cast<double>(file.size()) / static_cast<double>(events);
}

TEST(Size, OneThread) {
  EXPECT_LE(bytes_per_event({}), 3.0);
}

TEST(Size, FourThreads) {
  EXPECT_LE(bytes_per_event({.threads = 4}), 3.0);
}

TEST(Size, TenThousandLiveBlocks) {
  EXPECT_LE(bytes_per_event({.live_blocks = 10'000}), 3.0);
}

TEST(Size, FourThreadsAndTenThousandLiveBlocks) {
  EXPECT_LE(bytes_per_event({.threads = 4, .live_blocks = 10'000}), 3.0);
}

// Sixteen threads free what others allocated, and hardly anything repeats.
TEST(Size, Random) {
  EXPECT_LE(bytes_per_event(
                {.threads = 16, .stacks = 2'000, .live_blocks = 20'000, .largest_bytes = 60'000}),
            6.0);
}

}  // namespace
}  // namespace mini::recording
