// Stacks that are not a thread's first: signal handlers, alternate stacks, coroutines, threads.
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>
#include <ucontext.h>
#include <vector>

#include "shapes.h"
#include "unwinding.h"

namespace mini::unwind::self {
namespace {

Taker* g_taker = nullptr;
std::vector<Both> g_seen;

[[gnu::noinline]] void look() {
  g_seen.push_back(g_taker->take());
}

void on_signal(int) {
  look();
  look();
}

class StacksTest : public testing::Test {
 protected:
  StacksTest() {
    g_taker = &taker_;
    g_seen.clear();
  }
  ~StacksTest() override { g_taker = nullptr; }

  static void handle(int flags) {
    struct sigaction action = {};
    action.sa_handler = &on_signal;
    action.sa_flags = flags;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  }

  // A signal in the middle of each kind of frame.
  static void raise_in_shapes() {
    for (const Shape shape : shapes_sp::kShapes) shape({[](void*) { raise(SIGUSR1); }, nullptr}, 2);
    for (const Shape shape : shapes_bp::kShapes) shape({[](void*) { raise(SIGUSR1); }, nullptr}, 2);
  }

  Taker taker_;
};

TEST_F(StacksTest, SignalHandler) {
  if (kDelaysSignals) GTEST_SKIP();
  handle(0);
  raise_in_shapes();
  ASSERT_GE(g_seen.size(), 4 * kShapeCount);
  for (const Both& both : g_seen) expect_same(both, "in a handler");
}

TEST_F(StacksTest, SignalHandlerOnItsOwnStack) {
  if (kDelaysSignals) GTEST_SKIP();
  std::vector<char> memory(1 << 18);
  stack_t stack = {};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  stack_t before = {};
  ASSERT_EQ(sigaltstack(&stack, &before), 0);
  handle(SA_ONSTACK);
  raise_in_shapes();
  ASSERT_GE(g_seen.size(), 4 * kShapeCount);
  for (const Both& both : g_seen) expect_same(both, "on an alternate stack");
  look();
  expect_same(g_seen.back(), "back on the thread's stack");
  sigaltstack(&before, nullptr);
}

#if defined(__x86_64__)
// Interrupted where no call is: the address is exact, and may be a function's first.
[[gnu::noinline]] void trap_at_begin() {
  asm volatile("ud2");
}

void skip_trap(int, siginfo_t*, void* context) {
  look();
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST_F(StacksTest, InterruptedAtAFunctionsFirstInstruction) {
  if (kDelaysSignals) GTEST_SKIP();
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_sigaction = &skip_trap;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(sigaction(SIGILL, &action, &before), 0);
  trap_at_begin();
  sigaction(SIGILL, &before, nullptr);
  ASSERT_EQ(g_seen.size(), 1U);
  expect_same(g_seen[0], "trap");
}
#endif

ucontext_t g_main_context;
ucontext_t g_coroutine;

void run_coroutine() {
  for (int i = 0; i < 3; ++i) {
    look();
    swapcontext(&g_coroutine, &g_main_context);
  }
}

// Not inlined: the contexts come back here, where a loop's variable might be an old one.
[[gnu::noinline]] void switch_to_coroutine() {
  swapcontext(&g_main_context, &g_coroutine);
}

[[gnu::noinline]] void make_coroutine(void* stack, std::size_t bytes) {
  getcontext(&g_coroutine);
  g_coroutine.uc_stack.ss_sp = stack;
  g_coroutine.uc_stack.ss_size = bytes;
  g_coroutine.uc_link = &g_main_context;
  makecontext(&g_coroutine, &run_coroutine, 0);
}

TEST_F(StacksTest, Coroutines) {
  if (kDelaysSignals) GTEST_SKIP();
  constexpr std::size_t kBytes = 1 << 18;
  for (int round = 0; round < 3; ++round) {
    void* const stack =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(stack, MAP_FAILED);
    make_coroutine(stack, kBytes);
    for (int i = 0; i < 3; ++i) {
      switch_to_coroutine();
      // It begins in a function of the C library that may or may not say so.
      EXPECT_EQ(g_seen.back().ours, g_seen.back().theirs);
      EXPECT_GE(g_seen.back().ours.size(), 3U);
      look();
      expect_same(g_seen.back(), "between");
    }
    const auto begin = reinterpret_cast<std::uintptr_t>(stack);
    StackBounds::forget_foreign_stacks({begin, begin + kBytes});
    munmap(stack, kBytes);
  }
}

TEST_F(StacksTest, ThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      Taker taker;
      for (int round = 0; round < 20; ++round) {
        for (const Shape shape : shapes_sp::kShapes) {
          shape({[](void* t) { expect_same(static_cast<Taker*>(t)->take(), "thread"); }, &taker},
                static_cast<std::size_t>(round));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(StackBoundsTest, AStackEndsWhereItsMappingEnds) {
  constexpr std::size_t kPage = 4096;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  auto* const memory =
      static_cast<char*>(mmap(nullptr, 8 * kPage, PROT_READ | PROT_WRITE, kFlags, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  mprotect(memory, kPage, PROT_NONE);
  mprotect(memory + 6 * kPage, 2 * kPage, PROT_NONE);
  char buffer[512];
  StackBounds stacks;
  EXPECT_EQ(stacks.locate(begin + 2 * kPage, buffer).end, begin + 6 * kPage);
  EXPECT_EQ(stacks.locate(begin, buffer).end, 0U);  // not readable

  // Made smaller: known only once somebody says so.
  mprotect(memory + 4 * kPage, 4 * kPage, PROT_NONE);
  EXPECT_EQ(stacks.locate(begin + 2 * kPage, buffer).end, begin + 6 * kPage);
  constexpr std::uintptr_t kElsewhere = std::uintptr_t{1} << 20;
  StackBounds::forget_foreign_stacks({begin + kElsewhere, begin + kElsewhere + kPage});
  StackBounds::forget_foreign_stacks({begin, begin});
  EXPECT_EQ(stacks.locate(begin + 2 * kPage, buffer).end, begin + 6 * kPage);
  StackBounds::forget_foreign_stacks({begin + 5 * kPage, begin + 6 * kPage});
  EXPECT_EQ(stacks.locate(begin + 2 * kPage, buffer).end, begin + 4 * kPage);
  // It is remembered again; a range of all there is touches it whatever its number is.
  StackBounds::forget_foreign_stacks({0, UINTPTR_MAX});
  munmap(memory, 8 * kPage);
  EXPECT_EQ(stacks.locate(begin + 2 * kPage, buffer).end, 0U);
}

TEST(StackBoundsTest, AThreadsStackEndsBeforeItsControlBlock) {
  std::thread([] {
    char buffer[512];
    StackBounds stacks;
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    const ByteRange stack = stacks.locate(here, buffer);
    EXPECT_TRUE(stack.contains(here));
    EXPECT_EQ(stack.end, reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer()));
  }).join();
}

}  // namespace
}  // namespace mini::unwind::self
