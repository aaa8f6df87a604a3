// Frames that come back a little higher or lower, where the words of their predecessors still lie:
// each rule that a walk must keep before it joins the one before is needed here.
#include <alloca.h>
#include <csignal>
#include <cstddef>
#include <gtest/gtest.h>
#include <random>
#include <ucontext.h>
#include <vector>

#include "unwinding.h"

namespace mini::unwind::self {
namespace {

/// What the next stack looks like, from the outermost frame on.
struct Plan {
  unsigned outer_size = 0;  // in units of 16 bytes
  unsigned inner_size = 0;
  unsigned place = 0;  // from where in its function each frame calls
  unsigned inner_place = 0;
  unsigned middle = 0;  // which kind of frame is between the outer one and the innermost
  bool by_signal = false;
};

Plan g_plan;
Taker* g_taker = nullptr;
std::size_t g_looks = 0;

// Whatever is called from here leaves its words further in than the frames that this is about.
[[gnu::noinline]] void look() {
  const Both both = g_taker->take();
  ++g_looks;
  EXPECT_EQ(both.ours, both.theirs);
  EXPECT_EQ(both.end, StackEnd::kComplete);
}

#if defined(__x86_64__)
// The kernel puts its frame at a multiple of 64 bytes: the same one for four places of this one.
[[gnu::noinline]] void interrupted() {
  char block[128];
  asm volatile("" : : "r"(&block[0]));
  asm volatile("ud2");
  asm volatile("" : : "r"(&block[0]));
}

void on_signal(int, siginfo_t*, void* context) {
  look();
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
}
#else
void interrupted() {
  raise(SIGILL);
}
void on_signal(int, siginfo_t*, void*) {
  look();
}
#endif

[[gnu::noinline]] void leaf() {
  if (g_plan.by_signal) {
    interrupted();
  } else {
    look();
  }
  asm volatile("");
}

// Saves the six registers that a callee must, bp among them, and uses none of them for its frame.
[[gnu::noinline]] void fixed(std::size_t size) {
  std::size_t a = size + 1;
  std::size_t b = size + 2;
  std::size_t c = size + 3;
  std::size_t d = size + 4;
  std::size_t e = size + 5;
  std::size_t f = size + 6;
  asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  leaf();
  asm volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f));
}

// Three calls that the compiler must not make one of.
#define CALL_FROM(place_, call)        \
  if ((place_) == 0) {                 \
    call;                              \
    asm volatile("# the first place"); \
  } else if ((place_) == 1) {          \
    call;                              \
    asm volatile("# the second");      \
  } else {                             \
    call;                              \
    asm volatile("# the third");       \
  }

[[gnu::noinline]] void inner_alloca() {
  // Not written to: what was there before stays.
  void* block = alloca(16 + std::size_t{g_plan.inner_size} * 16);
  asm volatile("" : "+r"(block));
  CALL_FROM(g_plan.inner_place, fixed(1))
}

[[gnu::noinline]] void inner_alloca_to_leaf() {
  void* block = alloca(16 + std::size_t{g_plan.inner_size} * 16);
  asm volatile("" : "+r"(block));
  CALL_FROM(g_plan.inner_place, leaf())
}

// Its frame begins at the same multiple of 64, wherever it is called from.
[[gnu::noinline]] void realigned(long, long, long, long, long, long, long seventh) {
  alignas(64) char block[64];
  auto* const more = static_cast<char*>(alloca(static_cast<std::size_t>(seventh)));
  asm volatile("" : : "r"(&block[0]), "r"(more));
  CALL_FROM(g_plan.inner_place, fixed(2))
}

[[gnu::noinline]] void outer() {
  void* block = alloca(16 + std::size_t{g_plan.outer_size} * 16);
  asm volatile("" : "+r"(block));
  if (g_plan.middle == 0) {
    CALL_FROM(g_plan.place, inner_alloca())
  } else if (g_plan.middle == 1) {
    CALL_FROM(g_plan.place, inner_alloca_to_leaf())
  } else if (g_plan.middle == 2) {
    CALL_FROM(g_plan.place, realigned(1, 2, 3, 4, 5, 6, 16))
  } else {
    CALL_FROM(g_plan.place, interrupted())
  }
}

// Nothing else is called in between.
[[gnu::noinline]] void run(const std::vector<Plan>& plans) {
  for (const Plan& plan : plans) {
    g_plan = plan;
    outer();
  }
}

class StaleWordsTest : public testing::Test {
 protected:
  StaleWordsTest() {
    g_taker = &taker_;
    struct sigaction action = {};
    action.sa_sigaction = &on_signal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, &before_);
  }
  ~StaleWordsTest() override { sigaction(SIGILL, &before_, nullptr); }

  void run_all_kinds(unsigned middle, bool by_signal) {
    if (by_signal && kDelaysSignals) GTEST_SKIP();
    std::mt19937 dice(middle);
    std::vector<Plan> plans(1600);
    unsigned sizes = 0;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      // In the second half frames often stay where they are, and call from other places.
      if (i < plans.size() / 2 || dice() % 8 == 0) sizes = static_cast<unsigned>(dice());
      plans[i] = {.outer_size = sizes % 4,
                  .inner_size = sizes / 4 % 4,
                  .place = static_cast<unsigned>(dice() % 3),
                  .inner_place = static_cast<unsigned>(dice() % 2),
                  .middle = middle,
                  .by_signal = by_signal};
    }
    g_looks = 0;
    run(plans);
    EXPECT_EQ(g_looks, plans.size());
    EXPECT_GT(taker_.unwinder().counters().reused_frames, 4'000U);
    if (!by_signal) {
      EXPECT_GT(taker_.known_count(), 50U);
    }
  }

  // A few stacks come by turns, for a while.
  void run_by_turns(unsigned middle, bool by_signal) {
    if (by_signal && kDelaysSignals) GTEST_SKIP();
    taker_.go_by_keys();
    std::mt19937 dice(middle);
    std::vector<Plan> plans(3200);
    unsigned sizes[3] = {};
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (i % 64 == 0) {
        for (unsigned& each : sizes) each = static_cast<unsigned>(dice());
      }
      const unsigned chosen = dice() % 16 == 0 ? static_cast<unsigned>(dice()) : sizes[dice() % 3];
      plans[i] = {.outer_size = chosen % 4,
                  .inner_size = chosen / 4 % 4,
                  .place = chosen / 16 % 3,
                  .inner_place = chosen / 64 % 2,
                  .middle = middle,
                  .by_signal = by_signal};
    }
    g_looks = 0;
    run(plans);
    EXPECT_EQ(g_looks, plans.size());
    if (!by_signal) {
      EXPECT_GT(taker_.known_count(), 400U);
    }
  }

  Taker taker_;
  struct sigaction before_ = {};
};

TEST_F(StaleWordsTest, OfAFrameThatMovedBelowAFixedOne) {
  run_all_kinds(0, false);
}
TEST_F(StaleWordsTest, OfTheInnermostButOne) {
  run_all_kinds(1, false);
}
TEST_F(StaleWordsTest, AboveARealignedFrame) {
  run_all_kinds(2, false);
}
TEST_F(StaleWordsTest, AboveASignalHandler) {
  run_all_kinds(3, true);  // interrupted right there
}
TEST_F(StaleWordsTest, AboveASignalHandlerAndFramesThatMoved) {
  run_all_kinds(0, true);
}

TEST_F(StaleWordsTest, OfAFrameThatMovedBelowAFixedOneByTurns) {
  run_by_turns(0, false);
}
TEST_F(StaleWordsTest, OfTheInnermostButOneByTurns) {
  run_by_turns(1, false);
}
TEST_F(StaleWordsTest, AboveARealignedFrameByTurns) {
  run_by_turns(2, false);
}
TEST_F(StaleWordsTest, AboveASignalHandlerByTurns) {
  run_by_turns(3, true);
}

}  // namespace
}  // namespace mini::unwind::self
