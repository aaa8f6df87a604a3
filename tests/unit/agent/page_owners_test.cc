#include "agent/page_owners.h"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace mini::agent {
namespace {

TEST(PageOwners, APageOfOneRingIsNotShared) {
  const auto owners = std::make_unique<PageOwners>();
  for (std::uintptr_t block = 0x1000; block < 0x3000; block += 16) {
    EXPECT_FALSE(owners->needs_time(block, 7)) << block;
  }
  EXPECT_FALSE(owners->needs_time(0x4000, 8));
}

TEST(PageOwners, APageOfTwoRingsIsSharedForGood) {
  const auto owners = std::make_unique<PageOwners>();
  EXPECT_FALSE(owners->needs_time(0x1010, 0));
  EXPECT_TRUE(owners->needs_time(0x1020, 1));
  EXPECT_TRUE(owners->needs_time(0x1010, 0));
  EXPECT_TRUE(owners->needs_time(0x1fff, 1));
}

TEST(PageOwners, ALargeBlockNeedsTimesUntilASmallOneIsInItsPlace) {
  const auto owners = std::make_unique<PageOwners>();
  for (const std::uint32_t ring : {0U, wire::kRings - 1}) {
    const std::uintptr_t block = 0x1010 + ring * std::uintptr_t{0x1000};
    owners->allocated(block, ring, 5000);
    EXPECT_TRUE(owners->needs_time(block, ring));
    EXPECT_TRUE(owners->needs_time(block, ring));
    owners->allocated(block, ring, 50);
    EXPECT_FALSE(owners->needs_time(block, ring));
    owners->allocated(block, ring, 5000);
    EXPECT_TRUE(owners->needs_time(block, ring));
  }
}

TEST(PageOwners, AnAllocationIsToldOfAndAskedForAtOnce) {
  const auto owners = std::make_unique<PageOwners>();
  EXPECT_FALSE(owners->needs_time(0x1010, 3, 50));
  EXPECT_FALSE(owners->needs_time(0x1050, 3, 50));
  EXPECT_TRUE(owners->needs_time(0x1010, 3, 5000));
  EXPECT_TRUE(owners->needs_time(0x1010, 3));
  EXPECT_FALSE(owners->needs_time(0x1010, 3, 50));
  EXPECT_TRUE(owners->needs_time(0x1010, 4, 50));
  EXPECT_TRUE(owners->needs_time(0x1010, 3, 50));
}

TEST(PageOwners, ASmallBlockDoesNotEndWhatIsShared) {
  const auto owners = std::make_unique<PageOwners>();
  owners->allocated(0x1010, 0, 5000);
  EXPECT_TRUE(owners->needs_time(0x1010, 0));
  EXPECT_TRUE(owners->needs_time(0x1010, 1));
  owners->allocated(0x1010, 0, 50);
  EXPECT_TRUE(owners->needs_time(0x1010, 0));
}

// Threads pass a block on; whoever gets it from another is told that it is shared.
TEST(PageOwners, AHandedOverBlockIsSharedForTheReceiver) {
  const auto owners = std::make_unique<PageOwners>();
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kBlocks = 4000;
  std::atomic<std::uint32_t> turn{0};
  std::atomic<std::uint32_t> missed{0};
  std::vector<std::thread> threads;
  for (std::uint32_t ring = 0; ring < kThreads; ++ring) {
    threads.emplace_back([&, ring] {
      for (std::uint32_t at = ring; at < kBlocks * kThreads; at += kThreads) {
        while (turn.load(std::memory_order_acquire) != at) std::this_thread::yield();
        const std::uintptr_t block = std::uintptr_t{0x1000} * (at / kThreads);
        const bool is_due = owners->needs_time(block, ring);
        if (is_due != (ring != 0)) ++missed;
        turn.store(at + 1, std::memory_order_release);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missed, 0U);
}

}  // namespace
}  // namespace mini::agent
