// Depths, limits, what is not walked again, and starting over.
#include "unwind/self/self_unwinder.h"

#include <alloca.h>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>

#include "unwinding.h"

namespace mini::unwind::self {
namespace {

struct Visit {
  Taker& taker;
  Both both;

  [[gnu::noinline]] void here() { both = taker.take(); }
};

// noinline and not a tail call: each level is a frame.
[[gnu::noinline]] int recurse(int depth, void (*call)(void*), void* context) {
  if (depth == 0) {
    call(context);
    return 1;
  }
  const int below = recurse(depth - 1, call, context);
  asm volatile("");
  return below + 1;
}

Both stack_at_depth(Taker& taker, int depth) {
  Visit visit{taker, {}};
  recurse(depth, [](void* v) { static_cast<Visit*>(v)->here(); }, &visit);
  return visit.both;
}

TEST(SelfUnwinderTest, TenThousandFrames) {
  Taker taker;
  const Both both = stack_at_depth(taker, 10'000);
  expect_same(both, "deep");
  EXPECT_GT(both.ours.size(), 10'000U);
}

TEST(SelfUnwinderTest, TheInnermostFramesUpToTheLimit) {
  Taker taker(40);
  for (const int depth : {100, 100, 101, 90, 10'000}) {
    const Both both = stack_at_depth(taker, depth);
    EXPECT_EQ(both.end, StackEnd::kDepthLimit);
    ASSERT_EQ(both.ours.size(), 40U);
    EXPECT_TRUE(std::equal(both.ours.begin(), both.ours.end(), both.theirs.begin())) << depth;
  }
  EXPECT_EQ(stack_at_depth(taker, 2).end, StackEnd::kComplete);
}

TEST(SelfUnwinderTest, OneFrameIsALimitToo) {
  Taker taker(1);
  const Both both = stack_at_depth(taker, 5);
  EXPECT_EQ(both.end, StackEnd::kDepthLimit);
  ASSERT_EQ(both.ours.size(), 1U);
  EXPECT_EQ(both.ours[0], both.theirs[0]);
}

TEST(SelfUnwinderTest, TheUnchangedPartIsNotWalkedAgain) {
  Taker taker;
  Visit visit{taker, {}};
  struct Context {
    Visit& visit;
    std::uint32_t unchanged = 0;
  } context{visit};
  recurse(
      50,
      [](void* c) {
        auto& here = *static_cast<Context*>(c);
        here.visit.here();
        const std::size_t all = here.visit.both.ours.size();
        for (int i = 0; i < 3; ++i) here.visit.here();
        here.unchanged = here.visit.both.unchanged_outer;
        // But for the calls of here() and take(), which may be at other places of this function.
        EXPECT_GE(here.unchanged, all - 2);
      },
      &context);
  EXPECT_GT(context.unchanged, 50U);
  EXPECT_GT(taker.unwinder().counters().reused_frames, 150U);
}

TEST(SelfUnwinderTest, AChangeOfWhatIsLoadedBeginsAnew) {
  CodeTable table;
  table.refresh();
  SelfUnwinder unwinder;
  ASSERT_TRUE(unwinder.start(table));
  const CallerRegisters caller = capture_caller();
  EXPECT_EQ(unwinder.unwind(caller).unchanged_outer, 0U);
  const Chain again = unwinder.unwind(caller);
  EXPECT_EQ(again.unchanged_outer, again.count);
  // The loader has nothing new to say, so neither has this.
  table.refresh();
  EXPECT_EQ(unwinder.unwind(caller).unchanged_outer, again.count);
  unwinder.stop();
}

TEST(SelfUnwinderTest, AKeyIsOfTheLastWalkAlone) {
  SelfUnwinder unwinder;
  std::uint64_t key = 0;
  const CallerRegisters caller = capture_caller();
  EXPECT_FALSE(unwinder.find_key(caller, &key));  // not started
  ASSERT_TRUE(unwinder.start(code()));
  EXPECT_FALSE(unwinder.find_key(caller, &key));  // no walk yet
  unwinder.unwind(caller);
  const std::uint64_t first = unwinder.key();
  EXPECT_TRUE(unwinder.find_key(caller, &key));
  EXPECT_EQ(key, first);
  unwinder.unwind(caller);
  EXPECT_EQ(unwinder.key(), first);
  CallerRegisters other = caller;
  other.return_address = reinterpret_cast<std::uintptr_t>(&code) + 1;
  EXPECT_TRUE(unwinder.find_key(other, &key));
  EXPECT_NE(key, first);
  unwinder.forget();
  EXPECT_FALSE(unwinder.find_key(caller, &key));
  unwinder.unwind(caller);
  EXPECT_NE(unwinder.key(), first);
  unwinder.stop();
}

TEST(SelfUnwinderTest, WalksThatComeByTurnsHaveTheirKeysAgain) {
  Taker taker;
  taker.go_by_keys();
  constexpr int kTurns = 40;
  for (int i = 0; i < kTurns; ++i) expect_same(stack_at_depth(taker, 3 + i % 2), "by turns");
  EXPECT_GE(taker.known_count(), kTurns / 2U);
  EXPECT_LT(taker.unwinder().counters().walks, kTurns / 2U);
}

[[gnu::noinline]] CallerRegisters registers_here() {
  const CallerRegisters caller = capture_caller();
  asm volatile("");
  return caller;
}

TEST(SelfUnwinderTest, AKeyOfAnEarlierWalkNeedsTheSameFramePointer) {
  SelfUnwinder unwinder;
  ASSERT_TRUE(unwinder.start(code()));
  volatile std::size_t bytes = 16;
  void* block = alloca(bytes);  // the frames are found by the frame pointer
  asm volatile("" : "+r"(block));
  const CallerRegisters outer = capture_caller();
  CallerRegisters inner = registers_here();
  for (int i = 0; i < 3; ++i) {
    unwinder.unwind(inner);
    unwinder.unwind(outer);
  }
  std::uint64_t key = 0;
  EXPECT_TRUE(unwinder.find_key(inner, &key));
  inner.bp += 16;
  EXPECT_FALSE(unwinder.find_key(inner, &key));
  inner.bp -= 16;
  EXPECT_TRUE(unwinder.find_key(inner, &key));
  unwinder.forget();
  unwinder.unwind(outer);
  EXPECT_FALSE(unwinder.find_key(inner, &key));
  unwinder.stop();
}

TEST(SelfUnwinderTest, WithoutAStackThereIsTheReturnAddress) {
  SelfUnwinder unwinder;
  const CallerRegisters caller{0x401000, 0x10, 0};
  Chain chain = unwinder.unwind(caller);  // not started
  ASSERT_EQ(chain.count, 1U);
  EXPECT_EQ(chain.pcs[0], 0x401000U);
  EXPECT_EQ(chain.end, StackEnd::kUnreadable);
  ASSERT_TRUE(unwinder.start(code()));
  chain = unwinder.unwind(caller);
  ASSERT_EQ(chain.count, 1U);
  EXPECT_EQ(chain.end, StackEnd::kUnreadable);
  EXPECT_EQ(unwinder.counters().ends[static_cast<std::size_t>(StackEnd::kUnreadable)], 2U);
  unwinder.stop();
}

// Whatever the registers are, the walk ends and touches nothing but the stack.
TEST(SelfUnwinderTest, WrongRegistersDoNoHarm) {
  SelfUnwinder unwinder;
  ASSERT_TRUE(unwinder.start(code(), 64));
  const CallerRegisters caller = capture_caller();
  const std::uintptr_t values[] = {0,
                                   1,
                                   8,
                                   caller.sp,
                                   caller.sp - 8,
                                   caller.sp + 1,
                                   caller.sp + 4096,
                                   caller.bp,
                                   caller.return_address,
                                   ~std::uintptr_t{0},
                                   ~std::uintptr_t{0} - 15,
                                   std::uintptr_t{1} << 63};
  std::uint64_t chains = 0;
  for (const std::uintptr_t sp : values) {
    for (const std::uintptr_t bp : values) {
      for (const std::uintptr_t pc : values) {
        const Chain chain = unwinder.unwind({pc, sp, bp});
        EXPECT_LE(chain.count, 64U);
        ASSERT_GE(chain.count, 1U);
        EXPECT_EQ(chain.pcs[chain.count - 1], pc);
        ++chains;
      }
    }
  }
  EXPECT_EQ(unwinder.counters().walks, chains);
  unwinder.stop();
}

#if defined(__x86_64__)

// Code that is never run. Its stack pointer is 16 bytes below its frame's end.
#define SAVES_BP_AT(name, offset)                                                            \
  extern "C" void name();                                                                    \
  asm(".text\n.type " #name ", @function\n" #name                                            \
      ": .cfi_startproc\n.cfi_def_cfa_offset 16\n"                                           \
      ".cfi_offset %rbp, " #offset "\n nop\n nop\n.cfi_endproc\n.size " #name ", . - " #name \
      "\n");
SAVES_BP_AT(saves_bp_in_red_zone, -144)
SAVES_BP_AT(saves_bp_below_red_zone, -152)

// The first thread's stack may go on there, and not be memory yet.
TEST(SelfUnwinderTest, NothingFurtherInIsRead) {
  static std::uintptr_t stack[1024] = {};
  SelfUnwinder unwinder;
  ASSERT_TRUE(unwinder.start(code()));
  const auto end_in = [&](void (*function)()) {
    const auto pc = reinterpret_cast<std::uintptr_t>(function) + 1;
    return unwinder.unwind({pc, reinterpret_cast<std::uintptr_t>(&stack[512]), 0}).end;
  };
  EXPECT_EQ(end_in(saves_bp_in_red_zone), StackEnd::kComplete);
  EXPECT_EQ(end_in(saves_bp_below_red_zone), StackEnd::kUnreadable);
  unwinder.stop();
}

#endif

TEST(SelfUnwinderTest, MayBeStartedAgain) {
  SelfUnwinder unwinder;
  const CallerRegisters caller = capture_caller();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(unwinder.start(code(), 100));
    EXPECT_EQ(unwinder.unwind(caller).unchanged_outer, 0U);
    EXPECT_EQ(unwinder.unwind(caller).end, StackEnd::kComplete);
    unwinder.stop();
    unwinder.stop();
  }
}

}  // namespace
}  // namespace mini::unwind::self
