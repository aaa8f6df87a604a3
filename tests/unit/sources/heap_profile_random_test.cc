// All figures of heap profiles on random events, against a reference that remembers everything.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

#include "heap_profile_reference.h"
#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::BlockTotals;
using model::HeapProfile;
using recording::Allocation;
using recording::CallKind;
using recording::Free;

/// Few addresses, so that frees are found, frees are missing and addresses come again.
std::vector<HeapEvent> random_events(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<HeapEvent> events;
  std::uint64_t time_ns = 0;
  const std::uint64_t addresses = 1 + random() % 60;
  const std::uint64_t frees_in_ten = 3 + random() % 5;
  for (int i = 0; i < 600; ++i) {
    time_ns += random() % 1000;
    const auto thread = static_cast<std::uint32_t>(random() % 4);  // 3 is not defined
    const Address address{0x1000 + 16 * (random() % addresses)};
    if (random() % 10 < frees_in_ten) {
      events.emplace_back(Free{.time_ns = time_ns, .thread = thread % 3, .address = address});
    } else {
      events.emplace_back(Allocation{.time_ns = time_ns,
                                     .thread = thread % 3,
                                     .address = address,
                                     .requested_bytes = random() % (2ULL << (random() % 12)),
                                     .stack = static_cast<std::uint32_t>(random() % 4),
                                     .kind = static_cast<CallKind>(random() % 5)});
    }
  }
  return events;
}

void expect_same(const BlockTotals& got, const ReferenceTotals& expected) {
  EXPECT_EQ(got.allocated, expected.allocated);
  EXPECT_EQ(got.freed, expected.freed);
  EXPECT_EQ(got.lost, expected.lost);
  EXPECT_EQ(got.temporary, expected.temporary);
  EXPECT_EQ(got.live, expected.live);
  EXPECT_EQ(got.peak, expected.peak);
  EXPECT_EQ(got.resized, expected.resized);
}

/// Returns when it was.
std::uint64_t tell(Story& story, const HeapEvent& event) {
  if (const auto* const allocation = std::get_if<Allocation>(&event)) {
    story.allocation(*allocation);
    return allocation->time_ns;
  }
  const Free& free = std::get<Free>(event);
  story.free(free);
  return free.time_ns;
}

HeapProfile built_from(const std::vector<HeapEvent>& events, model::StackDivision division = {}) {
  Story story({}, division);
  for (const HeapEvent& event : events) tell(story, event);
  EXPECT_TRUE(story.builder.live_blocks().check());
  return story.end();
}

TEST(HeapProfileRandomTest, EqualsAReferenceThatRemembersEverything) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    const HeapProfile profile = built_from(events);
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    EXPECT_EQ(profile.losses.frees_not_seen, expected.frees_not_seen);
    EXPECT_EQ(profile.stacks.size(), expected.stacks.size());
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    for (std::uint32_t i = 0; i < 3; ++i) {
      expect_same(profile.threads[i].totals, expected.threads[i]);
    }
    EXPECT_EQ(profile.sizes.size(), expected.sizes.size());
    for (const auto& size : profile.sizes) {
      expect_same(size.totals,
                  expected.sizes[static_cast<std::uint32_t>(std::bit_width(size.least_bytes))]);
    }
    if (HasFailure()) break;
  }
}

TEST(HeapProfileRandomTest, PoolsMemoryChangesNothing) {
  for (std::uint64_t seed = 3000; seed < 3100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    Story story;
    std::uint64_t time_ns = 0;
    for (const HeapEvent& event : events) {
      // Of a thread that nobody knows: a known one's last allocation is another one then.
      const std::uint64_t region = 0x100000 + 0x1000 * (random() % 9);
      story.frees(time_ns, region, 0).gets(time_ns, region, random() % 5000, kLoad, 0);
      story.pools(time_ns, region, 0);
      time_ns = tell(story, event);
    }
    const HeapProfile profile = story.end();
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    if (HasFailure()) break;
  }
}

TEST(HeapProfileRandomTest, ReallocsThatFailChangeNothing) {
  for (std::uint64_t seed = 2000; seed < 2100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    Story story;
    for (const HeapEvent& event : events) {
      const std::uint64_t time_ns = tell(story, event);
      story.keeps(time_ns, 0x1000 + 16 * (random() % 60), static_cast<std::uint32_t>(random() % 3));
    }
    const HeapProfile profile = story.end();
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    EXPECT_EQ(profile.losses.frees_not_seen, expected.frees_not_seen);
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    if (HasFailure()) break;
  }
}

template <typename Parts>
BlockTotals sum_of(const Parts& parts) {
  BlockTotals sum;
  for (const auto& part : parts) {
    sum.allocated += part.totals.allocated;
    sum.freed += part.totals.freed;
    sum.lost += part.totals.lost;
    sum.temporary += part.totals.temporary;
    sum.live += part.totals.live;
    sum.peak += part.totals.peak;
    sum.resized += part.totals.resized;
  }
  return sum;
}

ReferenceTotals figures_of(const BlockTotals& totals) {
  return {totals.allocated, totals.freed, totals.lost,   totals.temporary,
          totals.live,      totals.peak,  totals.resized};
}

TEST(HeapProfileRandomTest, DividedStacksAddUpToStacksAndToParts) {
  using model::StackDivision;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    const HeapProfile whole = built_from(events);
    for (const StackDivision division : {StackDivision::kThread, StackDivision::kSize}) {
      const HeapProfile divided = built_from(events, division);
      std::map<std::uint32_t, BlockTotals> nodes;
      std::vector<BlockTotals> parts(std::max(whole.threads.size(), whole.sizes.size()));
      for (const auto& stack : divided.stacks) {
        nodes[stack.node] += stack.totals;
        parts.at(stack.part) += stack.totals;
      }
      ASSERT_EQ(nodes.size(), whole.stacks.size());
      for (const auto& stack : whole.stacks) {
        expect_same(nodes[stack.node], figures_of(stack.totals));
      }
      const bool is_by_size = division == StackDivision::kSize;
      const std::size_t count = is_by_size ? whole.sizes.size() : whole.threads.size();
      for (std::size_t i = 0; i < count; ++i) {
        expect_same(parts[i],
                    figures_of(is_by_size ? whole.sizes[i].totals : whole.threads[i].totals));
      }
    }
  }
}

TEST(HeapProfileRandomTest, TotalsReconcile) {
  for (std::uint64_t seed = 1000; seed < 1050; ++seed) {
    SCOPED_TRACE(seed);
    const HeapProfile profile = built_from(random_events(seed));
    const BlockTotals& totals = profile.totals;
    for (const BlockTotals& sum :
         {sum_of(profile.stacks), sum_of(profile.threads), sum_of(profile.sizes)}) {
      expect_same(sum, {totals.allocated, totals.freed, totals.lost, totals.temporary, totals.live,
                        totals.peak, totals.resized});
    }
    Amount parts = totals.freed;
    parts += totals.lost;
    parts += totals.live;
    EXPECT_EQ(parts, totals.allocated);
    Amount lifetimes;
    for (const auto& lifetime : profile.lifetimes) lifetimes += lifetime.freed;
    EXPECT_EQ(lifetimes, totals.freed);
    std::uint64_t most_live = 0;
    for (const auto& bucket : profile.timeline.buckets) {
      most_live = std::max(most_live, bucket.most_live_bytes);
    }
    EXPECT_EQ(most_live, totals.peak.bytes);
    EXPECT_EQ(profile.timeline.buckets.back().last_live_bytes, totals.live.bytes);
  }
}

}  // namespace
}  // namespace mini::sources
