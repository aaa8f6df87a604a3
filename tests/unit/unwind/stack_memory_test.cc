// How much of a target's stack is read, and from where.
#include "unwind/stack_memory.h"

#include <gtest/gtest.h>
#include <vector>

#include "fake_memory.h"

namespace mini::unwind {
namespace {

constexpr std::uint64_t kStack = 0x7000'0000'0000;

TEST(StackMemory, ReadsAShallowStackOnce) {
  FakeMemory memory;
  memory.map(kStack, 64 * 1024);
  StackMemory stack;
  stack.reset(kStack, memory, 1 << 20);
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(stack.word(kStack + 8 * i), kStack + 8 * i);
  EXPECT_EQ(memory.reads_count, 1U);
}

TEST(StackMemory, GrowsAndRemembersForTheNextTime) {
  FakeMemory memory;
  memory.map(kStack, 64 * 1024);
  StackMemory stack;
  stack.reset(kStack, memory, 1 << 20);
  EXPECT_EQ(stack.word(kStack), kStack);
  EXPECT_EQ(stack.word(kStack + 20000), kStack + 20000);
  EXPECT_EQ(memory.reads_count, 2U);
  stack.reset(kStack, memory, 1 << 20);
  EXPECT_EQ(stack.word(kStack), kStack);
  EXPECT_EQ(stack.word(kStack + 20000), kStack + 20000);
  EXPECT_EQ(memory.reads_count, 3U);
}

TEST(StackMemory, StopsAtTheEndOfTheStack) {
  FakeMemory memory;
  memory.map(kStack, 4096);
  StackMemory stack;
  stack.reset(kStack + 4000, memory, 1 << 20);
  EXPECT_TRUE(stack.word(kStack + 4088).has_value());
  EXPECT_FALSE(stack.word(kStack + 4089).has_value());
  EXPECT_FALSE(stack.word(kStack + 4096).has_value());
  EXPECT_EQ(stack.stack_words().size(), 96U / 8);
}

TEST(StackMemory, ReadsOtherPlacesInWindowsOfTheirOwn) {
  FakeMemory memory;
  memory.map(kStack, 4096);
  memory.map(0x5000'0000, 4096);
  StackMemory stack;
  stack.reset(kStack, memory, 1 << 20);
  EXPECT_EQ(stack.word(0x5000'0010), 0x5000'0010U);
  EXPECT_EQ(stack.word(kStack + 8), kStack + 8);
  EXPECT_EQ(stack.word(0x5000'0018), 0x5000'0018U);
  EXPECT_EQ(memory.reads_count, 2U);
}

TEST(StackMemory, KeepsToItsBudget) {
  FakeMemory memory;
  memory.map(kStack, 1 << 20);
  StackMemory stack;
  stack.reset(kStack, memory, 8192);
  EXPECT_TRUE(stack.word(kStack + 8000).has_value());
  EXPECT_FALSE(stack.word(kStack + 9000).has_value());
  EXPECT_FALSE(stack.word(kStack + 900000).has_value());
  EXPECT_LE(memory.bytes_count, 8192U);
}

TEST(StackMemory, DoesNotWrapAroundTheAddressSpace) {
  FakeMemory memory;
  memory.map(0, 4096);
  StackMemory stack;
  stack.reset(~std::uint64_t{0} - 16, memory, 1 << 20);
  EXPECT_FALSE(stack.word(~std::uint64_t{0} - 16).has_value());
  EXPECT_FALSE(stack.word(~std::uint64_t{0} - 3).has_value());
  EXPECT_EQ(stack.word(8), 8U);
}

}  // namespace
}  // namespace mini::unwind
