#include "agent/sampled_blocks.h"

#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "kernel/vm/shared.h"

namespace mini::agent {
namespace {

const void* block(std::uintptr_t number) {
  return reinterpret_cast<const void*>(0x7f00'0000'0000U + number * 16);
}

class SampledBlocksTest : public testing::Test {
 protected:
  SampledBlocks& blocks_ =
      *static_cast<SampledBlocks*>(kernel::vm::map_wiped_on_fork(sizeof(SampledBlocks)));
};

TEST_F(SampledBlocksTest, IsASet) {
  std::set<std::uintptr_t> model;
  std::mt19937_64 random(3);
  for (int i = 0; i < 200'000; ++i) {
    const std::uintptr_t number = random() % 20'000;
    if (model.contains(number)) {
      ASSERT_TRUE(blocks_.may_hold(block(number)));
      ASSERT_TRUE(blocks_.take(block(number)));
      model.erase(number);
    } else if (random() % 4 == 0) {
      ASSERT_FALSE(blocks_.take(block(number)));
    } else {
      ASSERT_TRUE(blocks_.add(block(number)));
      model.insert(number);
    }
  }
  for (const std::uintptr_t number : model) EXPECT_TRUE(blocks_.take(block(number)));
  // Empty again: nothing may be there.
  for (std::uintptr_t number = 0; number < 20'000; ++number) {
    ASSERT_FALSE(blocks_.may_hold(block(number)));
  }
}

// What makes sampling cheap: with a hundred live samples nearly all frees are told apart at once.
TEST_F(SampledBlocksTest, SaysOfMostOthersThatTheyAreNotThere) {
  for (std::uintptr_t number = 0; number < 100; ++number) blocks_.add(block(number * 1000));
  int held = 0;
  for (std::uintptr_t number = 0; number < 10'000; ++number) {
    held += blocks_.may_hold(block(7'000'000 + number)) ? 1 : 0;
  }
  EXPECT_LT(held, 500);
}

TEST_F(SampledBlocksTest, ThreadsHandBlocksToEachOther) {
  constexpr std::uintptr_t kEach = 20'000;
  std::vector<std::thread> threads;
  std::atomic<std::uintptr_t> missing{0};
  for (std::uintptr_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (std::uintptr_t i = 0; i < kEach; ++i) blocks_.add(block(t * kEach + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (std::uintptr_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {  // every fourth of everybody's
      for (std::uintptr_t i = t; i < 4 * kEach; i += 4) missing += blocks_.take(block(i)) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missing, 0U);
}

TEST_F(SampledBlocksTest, AChildOfAForkHasNone) {
  blocks_.add(block(1));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(blocks_.may_hold(block(1)) || blocks_.take(block(1)) ? 1 : 0);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(blocks_.take(block(1)));
}

}  // namespace
}  // namespace mini::agent
