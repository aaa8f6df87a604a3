// What was written is read.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recordings.h"

namespace mini::recording {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Summary read_sound(const FileBytes& file, Visitor& visitor) {
  auto summary = read_recording(file, visitor);
  EXPECT_TRUE(summary) << summary.error().message;
  if (!summary) return {};
  EXPECT_FALSE(summary->damage.any());
  EXPECT_EQ(summary->damage.lost_events, 0U);
  return *summary;
}

TEST(RoundTrip, EverythingOnce) {
  const SmallRecording small = small_recording();
  Remembered read;
  const Summary summary = read_sound(small.file, read);
  EXPECT_EQ(read.events, small.events);
  EXPECT_THAT(
      read.definitions,
      ElementsAre("module 1: /usr/bin/prog abcd 0x5000", "thread 1: 77 main", "frame 1: 1 0x1234",
                  "frame 2: 0 0x7f0012345678", "stack 1: 0 1", "stack 2: 1 2",
                  "thread 2: 78 worker", "source 1: f f.cc:3 true main m.cc:9 false"));
  EXPECT_EQ(summary.process.pid, 1U);
  EXPECT_EQ(summary.process.parent_pid, 2U);
  EXPECT_THAT(summary.process.command, ElementsAre("prog", "-v"));
  EXPECT_EQ(summary.process.executable, "/usr/bin/prog");
  EXPECT_EQ(summary.process.origin, "out.heapspy");
  EXPECT_EQ(summary.process.origin_fork, 7U);
  EXPECT_EQ(summary.process.start_unix_ns, 123U);
  ASSERT_TRUE(summary.ending);
  EXPECT_EQ(summary.ending->time_ns, 9500U);
  EXPECT_EQ(summary.ending->kind, Ending::Kind::kExited);
  EXPECT_EQ(summary.ending->status, 3U);
  EXPECT_EQ(summary.ending->losses.dropped_events, 11U);
  EXPECT_EQ(summary.ending->losses.truncated_stacks, 12U);
  EXPECT_EQ(summary.allocations, 4U);
  EXPECT_EQ(summary.frees, 4U);
  EXPECT_FALSE(summary.damage.is_cut);
}

TEST(RoundTrip, OldEventsAreWrittenBeforeABlockIsFull) {
  std::uint64_t before = 0;
  const FileBytes file = written({}, [&](Writer& writer) {
    before = writer.written_bytes();
    writer.add(Free{.time_ns = 5000, .address = Address{0x9000}});
    writer.add(Free{.time_ns = 8000, .address = Address{0xa000}});
    writer.write_older(5000);
    EXPECT_EQ(writer.written_bytes(), before);
    writer.write_older(6000);
    EXPECT_GT(writer.written_bytes(), before);
    before = writer.written_bytes();
    writer.write_older(9000);  // nothing waits
    EXPECT_EQ(writer.written_bytes(), before);
  });
  Remembered read;
  const auto summary = read_recording(
      FileBytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(before)), read);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->frees, 2U);
  EXPECT_EQ(read.events.size(), 2U);
}

struct RememberedScan final : Visitor {
  LeakScan scan;
  std::size_t parts = 0;
  void leak_scan(const LeakScan& part) override {
    ++parts;
    std::vector<LostBlock> lost = std::move(scan.lost);
    lost.insert(lost.end(), part.lost.begin(), part.lost.end());
    scan = part;
    scan.lost = std::move(lost);
  }
};

RememberedScan scan_round_trip(const LeakScan& scan) {
  const FileBytes file = written({}, [&scan](Writer& writer) {
    writer.add(scan);
    ASSERT_TRUE(writer.finish({}));
  });
  RememberedScan read;
  read_sound(file, read);
  return read;
}

TEST(RoundTrip, TheSearchForLeaks) {
  LeakScan scan{.is_done = true,
                .time_ns = 77,
                .scanned_bytes = 1U << 20U,
                .unreadable_bytes = 9,
                .lost = {}};
  for (std::uint64_t i = 0; i < 600'000; ++i) {
    scan.lost.push_back({.address = Address{0x10 * (i * i + 1)}, .is_indirect = i % 3 == 0});
  }
  const RememberedScan read = scan_round_trip(scan);
  EXPECT_EQ(read.parts, 2U);
  EXPECT_TRUE(read.scan.is_done);
  EXPECT_EQ(read.scan.time_ns, 77U);
  EXPECT_EQ(read.scan.scanned_bytes, 1U << 20U);
  EXPECT_EQ(read.scan.unreadable_bytes, 9U);
  ASSERT_EQ(read.scan.lost.size(), scan.lost.size());
  for (std::size_t i = 0; i < scan.lost.size(); ++i) {
    ASSERT_EQ(read.scan.lost[i].address, scan.lost[i].address);
    ASSERT_EQ(read.scan.lost[i].is_indirect, scan.lost[i].is_indirect);
  }
}

// As the blocks of a list that was lost may do.
TEST(RoundTrip, WhatCompressesBeyondTheRatioThatIsRead) {
  LeakScan scan{
      .is_done = true, .time_ns = 0, .scanned_bytes = 0, .unreadable_bytes = 0, .lost = {}};
  for (std::uint64_t i = 1; i <= 100'000; ++i) scan.lost.push_back({.address = Address{0x20 * i}});
  EXPECT_EQ(scan_round_trip(scan).scan.lost.size(), scan.lost.size());
}

TEST(RoundTrip, ASearchThatWasNotMade) {
  const RememberedScan read = scan_round_trip({.lost = {}});
  EXPECT_EQ(read.parts, 1U);
  EXPECT_FALSE(read.scan.is_done);
  EXPECT_FALSE(read.scan.is_refused);
  const RememberedScan refused = scan_round_trip({.is_refused = true, .lost = {}});
  EXPECT_FALSE(refused.scan.is_done);
  EXPECT_TRUE(refused.scan.is_refused);
}

TEST(RoundTrip, NothingHappened) {
  const FileBytes file = written(
      {}, [](Writer& writer) { ASSERT_TRUE(writer.finish({.kind = Ending::Kind::kKilled})); });
  Remembered read;
  const Summary summary = read_sound(file, read);
  EXPECT_THAT(read.events, IsEmpty());
  EXPECT_FALSE(summary.damage.is_cut);
}

TEST(RoundTrip, TimesAreKeptToTheMicrosecondAndNeverGoBack) {
  const FileBytes file = written({}, [](Writer& writer) {
    for (const std::uint64_t time : {1999U, 2001U, 500U, 7777U}) {
      writer.add(Free{time, 1, Address{time}, 0});
    }
    ASSERT_TRUE(writer.finish({}));
  });
  Remembered read;
  read_sound(file, read);
  EXPECT_THAT(
      read.events,
      ElementsAre("1000 thread 1 frees 0x7cf, stack 0", "2000 thread 1 frees 0x7d1, stack 0",
                  "2000 thread 1 frees 0x1f4, stack 0", "7000 thread 1 frees 0x1e61, stack 0"));
}

// More than a block takes, of events and of threads.
TEST(RoundTrip, ManyAtOnceAreAsOneByOne) {
  constexpr std::uint32_t kEvents = 200'000;
  std::vector<HeapEvent> events;
  for (std::uint32_t i = 0; i < kEvents; ++i) {
    const Address address{0x10000 + i / 2 % 5000 * 48};
    const ThreadNumber thread = i < 70'000 ? i + 1 : i % 3 + 1;
    if (i % 2 == 0) {
      events.push_back(HeapEvent::of(
          Allocation{i * 100ULL, thread, address, i % 900, i % 7 * 40, CallKind::kNew, 0}));
    } else {
      events.push_back(HeapEvent::of(Free{i * 100ULL, thread, address, i % 5 / 4}));
    }
  }
  const FileBytes at_once = written({}, [&](Writer& writer) {
    writer.add(events);
    ASSERT_TRUE(writer.finish({}));
  });
  const FileBytes one_by_one = written({}, [&](Writer& writer) {
    for (const HeapEvent& event : events) {
      if (event.is_free) {
        writer.add(event.free());
      } else {
        writer.add(event.allocation());
      }
    }
    ASSERT_TRUE(writer.finish({}));
  });
  EXPECT_EQ(at_once, one_by_one);
  Remembered read;
  read_sound(at_once, read);
  ASSERT_EQ(read.events.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    HeapEvent& event = events[i];
    event.time_ns -= event.time_ns % 1000;
    ASSERT_EQ(read.events[i], event.is_free ? to_text(event.free()) : to_text(event.allocation()));
  }
}

// As that of a realloc is, where frees have stacks too.
TEST(RoundTrip, AStackOfSeveralKinds) {
  std::vector<std::string> expected;
  const FileBytes file = written({}, [&](Writer& writer) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const Free free{0, 1, Address{0x1000 + i * 32}, 5};
      const auto kind = i % 3 == 0 ? CallKind::kMalloc : CallKind::kRealloc;
      const Allocation allocation{0, 1, Address{0x1020 + i * 32}, 24, 5, kind, 0};
      writer.add(free);
      writer.add(allocation);
      expected.push_back(to_text(free));
      expected.push_back(to_text(allocation));
    }
    ASSERT_TRUE(writer.finish({}));
  });
  Remembered read;
  read_sound(file, read);
  EXPECT_EQ(read.events, expected);
}

TEST(RoundTrip, SameFramesAndStacksHaveOneNumber) {
  written({}, [](Writer& writer) {
    const FrameNumber a = writer.frame({1, 0x10});
    const FrameNumber b = writer.frame({2, 0x10});
    EXPECT_NE(a, b);
    EXPECT_EQ(writer.frame({1, 0x10}), a);
    const StackNumber outer = writer.stack(0, a);
    const StackNumber inner = writer.stack(outer, a);
    EXPECT_NE(outer, inner);
    EXPECT_EQ(writer.stack(0, a), outer);
    EXPECT_EQ(writer.stack(outer, a), inner);
  });
}

TEST(RoundTrip, FramesWithoutSource) {
  written({}, [](Writer& writer) {
    for (std::uint64_t i = 1; i <= 5; ++i) writer.frame({7, i});
    const std::vector<SourceFrame> none;
    writer.define_source(1, none);
    writer.define_source(3, none);
    const auto two = writer.frames_without_source(2);
    ASSERT_EQ(two.size(), 2U);
    EXPECT_EQ(two[0].first, 2U);
    EXPECT_EQ(two[0].second.module, 7U);
    EXPECT_EQ(two[0].second.address, 2U);
    EXPECT_EQ(two[1].first, 4U);
    writer.define_source(2, none);
    writer.define_source(4, none);
    writer.define_source(5, none);
    EXPECT_THAT(writer.frames_without_source(2), IsEmpty());
  });
}

// More stacks and frames than one block takes, and a growing table.
TEST(RoundTrip, ManyStacks) {
  constexpr std::uint32_t kCount = 150'000;
  const FileBytes file = written({}, [](Writer& writer) {
    StackNumber caller = 0;
    for (std::uint32_t i = 1; i <= kCount; ++i) {
      const FrameNumber frame = writer.frame({i % 7, i * 24ULL});
      ASSERT_EQ(frame, i);
      caller = writer.stack(i % 100 == 0 ? 0 : caller, frame);
      ASSERT_EQ(caller, i);
    }
    ASSERT_TRUE(writer.finish({}));
  });
  struct Checker final : Visitor {
    std::uint32_t frames = 0;
    std::uint32_t stacks = 0;
    bool is_right = true;
    void frame(FrameNumber number, const FrameFacts& facts) override {
      is_right = is_right && number == ++frames && facts.module == number % 7 &&
                 facts.address == number * 24ULL;
    }
    void stack(StackNumber number, const StackFacts& facts) override {
      is_right = is_right && number == ++stacks && facts.frame == number &&
                 facts.caller == (number % 100 == 0 ? 0 : number - 1);
    }
  } checker;
  read_sound(file, checker);
  EXPECT_TRUE(checker.is_right);
  EXPECT_EQ(checker.frames, kCount);
  EXPECT_EQ(checker.stacks, kCount);
}

TEST(RoundTrip, ProgressSeesAllAndCanStop) {
  const SmallRecording small = small_recording();
  struct Stopping final : Visitor {
    std::uint64_t read = 0;
    std::uint64_t of = 0;
    std::uint64_t stop_at = UINT64_MAX;
    bool progress(std::uint64_t read_bytes, std::uint64_t file_bytes) override {
      read = read_bytes;
      of = file_bytes;
      return read_bytes < stop_at;
    }
  };
  Stopping all;
  EXPECT_FALSE(read_sound(small.file, all).is_stopped);
  EXPECT_EQ(all.of, small.file.size());
  EXPECT_LE(all.read, all.of);
  Stopping early;
  early.stop_at = 0;
  const Summary summary = read_sound(small.file, early);
  EXPECT_TRUE(summary.is_stopped);
  EXPECT_FALSE(summary.damage.is_cut);
  EXPECT_EQ(summary.allocations, 0U);
}

// Long texts are shortened, never refused.
TEST(RoundTrip, LongTexts) {
  const std::string long_text(200'000, 'x');
  const FileBytes file = written(
      {1, 1, std::vector<std::string>(40, long_text), long_text, 0, 0, long_text, 0},
      [&](Writer& writer) {
        const std::vector<SourceFrame> sources(100, SourceFrame{long_text, long_text, 1, false});
        for (std::uint32_t i = 1; i <= 30; ++i) {
          writer.define_module({long_text, long_text, Address{1}});
          writer.define_thread({1, long_text});
          writer.define_source(writer.frame({1, i}), sources);
          writer.add(Marker{1, 1, long_text});
        }
        ASSERT_TRUE(writer.finish({}));
      });
  Remembered read;
  const Summary summary = read_sound(file, read);
  EXPECT_EQ(read.events.size(), 30U);
  EXPECT_EQ(read.definitions.size(), 4 * 30U);
  EXPECT_EQ(summary.process.executable, long_text.substr(0, 65536));
  EXPECT_EQ(summary.process.command.size(), 16U);
}

}  // namespace
}  // namespace mini::recording
