// The lock among threads, and the order in which a checked build lets locks be taken.
#include "alloc/lock.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace mini::alloc {
namespace {

TEST(Lock, OnlyOneThreadIsInside) {
  Lock lock{LockRank::kPages};
  int count = 0;  // a data race, without the lock
  std::vector<std::thread> threads;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const Locked locked(lock);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(Lock, AThreadThatSleepsBeforeItIsWoken) {
  Lock lock{LockRank::kPages};
  bool done = false;
  lock.lock();
  std::thread waits([&] {
    const Locked locked(lock);
    EXPECT_TRUE(done);
  });
  // Long enough that it gives up spinning, on most machines; right either way.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  done = true;
  lock.unlock();
  waits.join();
}

TEST(Lock, IsFreeAgainOnceItIsReset) {
  Lock lock{LockRank::kPages};
  lock.lock();
  lock.reset();
  const Locked locked(lock);
}

TEST(TryLock, OnlyOneThreadIsInside) {
  TryLock lock{LockRank::kShelf};
  int count = 0;  // a data race, without the lock
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        if (const TryLocked locked(lock); locked) {
          ++count;
          continue;
        }
        ++refused;
        const Locked waited(lock);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
  EXPECT_LE(refused, kThreads * kRounds);
}

TEST(TryLock, WhoFindsItHeldIsToldSo) {
  TryLock lock{LockRank::kShelf};
  {
    const TryLocked locked(lock);
    EXPECT_TRUE(locked);
    EXPECT_FALSE(lock.try_lock());
  }
  ASSERT_TRUE(lock.try_lock());
  lock.reset();
  ASSERT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST(LockOrder, FromHighToLowIsRight) {
  Lock registry{LockRank::kRegistry};
  Lock bin{LockRank::kBin};
  Lock pages{LockRank::kPages};
  for (int i = 0; i < 2; ++i) {
    const Locked first(registry);
    const Locked second(bin);
    const Locked third(pages);
  }
}

TEST(LockOrder, AllLocksOfARankMayBeTakenUnderTheRegistrys) {
  Lock registry{LockRank::kRegistry};
  Lock bin{LockRank::kBin};
  Lock other_bin{LockRank::kBin};
  const Locked first(registry);
  const Locked second(bin);
  const Locked third(other_bin);
}

using LockOrderDeathTest = testing::Test;

void take_in_order(LockRank first, LockRank second) {
  Lock a{first};
  Lock b{second};
  const Locked locked_first(a);
  const Locked locked_second(b);
}

TEST(LockOrderDeathTest, AHigherLockAfterALowerOneAborts) {
  EXPECT_DEATH(take_in_order(LockRank::kPages, LockRank::kBin),
               "lock order: the lock of bin is taken by a thread that holds that of pages");
}

TEST(LockOrderDeathTest, TwoOfTheSameRankAbort) {
  EXPECT_DEATH(take_in_order(LockRank::kBin, LockRank::kBin), "lock of bin .* holds that of bin");
  EXPECT_DEATH(take_in_order(LockRank::kRegistry, LockRank::kRegistry), "lock order");
}

TEST(LockOrderDeathTest, ReleasingWhatIsNotHeldAborts) {
  Lock lock{LockRank::kSpans};
  EXPECT_DEATH(lock.unlock(), "releases the lock of spans that it does not hold");
}

}  // namespace
}  // namespace mini::alloc
