// Code without call frame information, and frame pointers that are none.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "unwinding.h"

#if defined(__x86_64__)

// Each calls its first argument with the second; the assembler gets no .cfi directives for them.
asm(R"(
  .text
  .type without_cfi, @function
without_cfi:
  pushq %rbp
  movq %rsp, %rbp
  movq %rdi, %rax
  movq %rsi, %rdi
  callq *%rax
  popq %rbp
  retq
  .size without_cfi, . - without_cfi

  .type with_bp_of_its_own, @function
with_bp_of_its_own:
  pushq %rbp
  movq %rdx, %rbp
  movq %rdi, %rax
  movq %rsi, %rdi
  callq *%rax
  popq %rbp
  retq
  .size with_bp_of_its_own, . - with_bp_of_its_own
)");

extern "C" void without_cfi(void (*call)(void*), void* context);
extern "C" void with_bp_of_its_own(void (*call)(void*), void* context, std::uintptr_t bp);

namespace mini::unwind::self {
namespace {

struct Visit {
  Taker& taker;
  Both outside{};
  Both inside{};

  [[gnu::noinline]] static void here(void* self) {
    auto& visit = *static_cast<Visit*>(self);
    visit.inside = visit.taker.take_ours();
    asm volatile("");
  }
};

std::uintptr_t address_of(void (*function)(void (*)(void*), void*)) {
  return reinterpret_cast<std::uintptr_t>(function);
}

TEST(FramePointerTest, LeadsThroughCodeWithoutInformation) {
  Taker taker;
  Visit visit{taker};
  for (int i = 0; i < 2; ++i) {
    visit.outside = taker.take();
    without_cfi(&Visit::here, &visit);
    const Both& both = visit.inside;
    EXPECT_EQ(both.end, StackEnd::kComplete);
    EXPECT_TRUE(both.has_guess);
    ASSERT_EQ(both.ours.size(), visit.outside.ours.size() + 2);
    EXPECT_LT(both.ours[1] - address_of(&without_cfi), 20U);
    // Further out it is the same stack, but for the place in this function.
    EXPECT_TRUE(std::equal(both.ours.begin() + 3, both.ours.end(), visit.outside.ours.begin() + 1));
  }
  EXPECT_FALSE(visit.outside.has_guess);
  EXPECT_GE(taker.unwinder().counters().guessed_frames, 1U);
}

TEST(FramePointerTest, CodeOfNoModuleIsFollowedToo) {
  constexpr std::size_t kBytes = 4096;
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "the system allows no writable code";
  // Not at its begin: UndefinedBehaviorSanitizer looks for a function's type before the function.
  std::byte* const function = static_cast<std::byte*>(memory) + 64;
  std::memcpy(function, reinterpret_cast<const void*>(&without_cfi), 24);
  Taker taker;
  Visit visit{taker};
  reinterpret_cast<decltype(&without_cfi)>(function)(&Visit::here, &visit);
  EXPECT_EQ(visit.inside.end, StackEnd::kComplete);
  EXPECT_TRUE(visit.inside.has_guess);
  EXPECT_LT(visit.inside.ours.at(1) - reinterpret_cast<std::uintptr_t>(memory), kBytes);
  munmap(memory, kBytes);
}

// As a compiler in the program does that makes its pages writable or executable, never both.
struct CompilerVisit {
  static constexpr int kManyWalks = 1 << 12;
  SelfUnwinder& unwinder;
  void* memory;
  std::size_t bytes;
  StackEnd end_while_written = StackEnd::kComplete;
  StackEnd end = StackEnd::kComplete;

  [[gnu::noinline]] static StackEnd walk(SelfUnwinder& unwinder) {
    return unwinder.unwind(capture_caller()).end;
  }
  static void here(void* self) {
    auto& visit = *static_cast<CompilerVisit*>(self);
    mprotect(visit.memory, visit.bytes, PROT_READ | PROT_WRITE);
    visit.end = visit.end_while_written = walk(visit.unwinder);
    mprotect(visit.memory, visit.bytes, PROT_READ | PROT_EXEC);
    for (int i = 0; i < kManyWalks && visit.end != StackEnd::kComplete; ++i) {
      visit.end = walk(visit.unwinder);
    }
  }
};

TEST(FramePointerTest, WhatWasNoCodeForAWhileIsCodeAgain) {
  constexpr std::size_t kBytes = 4096;
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::byte* const function = static_cast<std::byte*>(memory) + 64;
  std::memcpy(function, reinterpret_cast<const void*>(&without_cfi), 24);
  if (mprotect(memory, kBytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(memory, kBytes);
    GTEST_SKIP() << "the system allows no code that was written";
  }
  CodeTable table;  // another's may know the place from a mapping before
  table.refresh();
  SelfUnwinder unwinder;
  ASSERT_TRUE(unwinder.start(table));
  CompilerVisit visit{.unwinder = unwinder, .memory = memory, .bytes = kBytes};
  reinterpret_cast<decltype(&without_cfi)>(function)(&CompilerVisit::here, &visit);
  EXPECT_EQ(visit.end_while_written, StackEnd::kNoUnwindInfo);
  EXPECT_EQ(visit.end, StackEnd::kComplete);
  unwinder.stop();
  munmap(memory, kBytes);
}

TEST(FramePointerTest, ThatLeadsNowhereEndsTheStack) {
  Taker taker;
  Visit visit{taker};
  // Two words that look like a frame, but what should be a return address is in no code.
  alignas(16) const std::uintptr_t not_a_frame[2] = {~std::uintptr_t{0},
                                                     reinterpret_cast<std::uintptr_t>(&visit)};
  const auto on_stack = reinterpret_cast<std::uintptr_t>(&not_a_frame[0]);
  const std::uintptr_t values[] = {0,    1,    on_stack, on_stack + 4, on_stack + (1UL << 40),
                                   4096, ~0UL, ~7UL,     ~15UL,        1UL << 63};
  for (const std::uintptr_t bp : values) {
    with_bp_of_its_own(&Visit::here, &visit, bp);
    EXPECT_EQ(visit.inside.end, StackEnd::kNoUnwindInfo) << bp;
    EXPECT_EQ(visit.inside.ours.size(), 2U) << bp;
  }
  const auto index = static_cast<std::size_t>(StackEnd::kNoUnwindInfo);
  EXPECT_EQ(taker.unwinder().counters().ends[index], std::size(values));
}

}  // namespace
}  // namespace mini::unwind::self

#endif  // __x86_64__
