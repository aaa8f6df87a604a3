// Many events, of programs that the prediction fits and of noise that it does not: read as written.
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "recordings.h"

namespace mini::recording {
namespace {

/// Compares what is read with what was written, event by event.
struct Comparer final : Visitor {
  explicit Comparer(const std::vector<std::string>& expected_events) : expected(expected_events) {}

  const std::vector<std::string>& expected;
  std::size_t count = 0;
  std::size_t differences = 0;
  std::string first_difference;

  void compare(const std::string& text) {
    if (count < expected.size() && expected[count] == text) {
      ++count;
      return;
    }
    if (differences++ == 0) {
      first_difference = std::to_string(count) + ": " + text + " instead of " +
                         (count < expected.size() ? expected[count] : "nothing");
    }
    ++count;
  }
  void allocation(const Allocation& allocation) override { compare(to_text(allocation)); }
  void free(const Free& free) override { compare(to_text(free)); }
  void sample(const KernelSample& sample) override { compare(to_text(sample)); }
  void mapping(const Mapping& mapping) override { compare(to_text(mapping)); }
  void marker(const Marker& marker) override { compare(to_text(marker)); }
  void usable_size(const UsableSize& usable) override { compare(to_text(usable)); }
  void touch(const Touch& touch) override { compare(to_text(touch)); }
  void touch_watch(const TouchWatch& watch) override { compare(to_text(watch)); }
  void fork(const Fork& fork) override { compare(to_text(fork)); }
};

template <typename Event>
void add(Writer& writer, std::vector<std::string>& expected, Event event) {
  writer.add(event);
  event.time_ns -= event.time_ns % 1000;
  expected.push_back(to_text(event));
}

void expect_same(const FileBytes& file, const std::vector<std::string>& expected) {
  Comparer comparer(expected);
  const auto summary = read_recording(file, comparer);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_FALSE(summary->damage.any());
  EXPECT_EQ(summary->damage.lost_events, 0U);
  EXPECT_FALSE(summary->damage.is_cut);
  EXPECT_EQ(comparer.differences, 0U) << comparer.first_difference;
  EXPECT_EQ(comparer.count, expected.size());
}

void expect_program_is_read(const MadeProgram::Shape& shape) {
  std::vector<std::string> expected;
  MadeProgram program(shape);
  const FileBytes file = written({}, [&](Writer& writer) {
    for (int i = 0; i < 60'000; ++i) {
      program.step([&](const Allocation& event) { add(writer, expected, event); },
                   [&](const Free& event) { add(writer, expected, event); });
    }
    EXPECT_EQ(writer.event_count(), expected.size());
    ASSERT_TRUE(writer.finish({}));
    EXPECT_GT(writer.written_bytes(), expected.size());
  });
  expect_same(file, expected);
}

TEST(Model, OneThread) {
  expect_program_is_read({});
}

TEST(Model, FourThreads) {
  expect_program_is_read({.threads = 4, .stacks = 300, .live_blocks = 5000, .largest_bytes = 9000});
}

TEST(Model, NothingIsFreedAtFirst) {
  expect_program_is_read({.live_blocks = 50'000});
}

/// A number of any length.
std::uint64_t any_number(std::mt19937_64& random) {
  return random() >> (random() % 64);
}

/// Often one that came before.
std::uint64_t any_address(std::mt19937_64& random, std::vector<std::uint64_t>& seen) {
  if (!seen.empty() && random() % 4 != 0) return seen[random() % seen.size()];
  seen.push_back(any_number(random));
  return seen.back();
}

void add_noise(std::mt19937_64& random, std::vector<std::uint64_t>& seen, std::uint64_t time_ns,
               Writer& writer, std::vector<std::string>& expected) {
  const auto thread = static_cast<ThreadNumber>(random() % 3 == 0 ? random() % 100'000 : 1);
  const auto stack = static_cast<StackNumber>(random() % 2 == 0 ? any_number(random) : 5);
  switch (random() % 20) {
    case 0:
      return add(writer, expected, Marker{time_ns, thread, std::string(random() % 40, 'm')});
    case 1:
      return add(writer, expected,
                 KernelSample{time_ns, Bytes{any_number(random)}, Bytes{any_number(random)},
                              Bytes{any_number(random)}, Bytes{any_number(random)},
                              Bytes{any_number(random)}, any_number(random), any_number(random)});
    case 2:
      return add(writer, expected,
                 Mapping{time_ns, thread, static_cast<Mapping::Operation>(random() % 4),
                         Address{any_number(random)}, Bytes{any_number(random)},
                         Address{any_number(random)}, Bytes{any_number(random)}, stack});
    case 16:
      return add(writer, expected,
                 UsableSize{time_ns, thread, any_number(random), any_number(random)});
    case 17:
      return add(writer, expected, Touch{time_ns, thread, Address{any_number(random)}, stack});
    case 18:
      return add(writer, expected,
                 TouchWatch{time_ns, std::string(random() % 40, 'r'), any_number(random)});
    case 19:
      return add(writer, expected, Fork{time_ns - time_ns % 1000, any_number(random)});
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return add(
          writer, expected,
          Free{time_ns, thread, Address{any_address(random, seen)}, random() % 3 == 0 ? stack : 0});
    default:
      return add(writer, expected,
                 Allocation{time_ns, thread, Address{any_address(random, seen)}, any_number(random),
                            stack, static_cast<CallKind>(random() % 6),
                            random() % 5 == 0 ? any_number(random) : 0});
  }
}

// Frees of what was never allocated, allocations of what is live, numbers of any size, flushes.
TEST(Model, Noise) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<std::string> expected;
    std::vector<std::uint64_t> seen;
    std::uint64_t time_ns = 0;
    const FileBytes file = written({}, [&](Writer& writer) {
      for (int i = 0; i < 8'000; ++i) {
        if (random() % 8 == 0) time_ns += any_number(random) >> 16U;
        add_noise(random, seen, time_ns, writer, expected);
        if (random() % 3000 == 0) {
          ASSERT_TRUE(writer.flush());
        }
      }
      ASSERT_TRUE(writer.finish({}));
    });
    expect_same(file, expected);
  }
}

// A block ends where its numbers of threads do.
TEST(Model, MoreThreadsThanABlockHas) {
  std::vector<std::string> expected;
  const FileBytes file = written({}, [&](Writer& writer) {
    for (ThreadNumber thread = 1; thread <= 70'000; ++thread) {
      add(writer, expected, Allocation{thread, thread, Address{thread * 32ULL}, 20, 1, {}, 0});
    }
    ASSERT_TRUE(writer.finish({}));
  });
  expect_same(file, expected);
}

TEST(Model, LastMomentsOfTime) {
  std::vector<std::string> expected;
  const FileBytes file = written({}, [&](Writer& writer) {
    for (const std::uint64_t before_end : {5000ULL, 1000ULL, 1ULL, 0ULL}) {
      add(writer, expected, Free{UINT64_MAX - before_end, 1, Address{before_end}, 0});
    }
    ASSERT_TRUE(writer.finish({}));
  });
  expect_same(file, expected);
}

}  // namespace
}  // namespace mini::recording
