// Nanoseconds for a call stack of some depth, by the agent's unwinder and by backtrace(3).
//
//     unwind_self [ROUNDS]
//
// "anew": each stack lies 16 bytes from the one before, so all but the program's first frames are
// walked. "inner 2": of the stack before, the two innermost frames have changed. Each call is timed
// by itself, less what the clock takes; the figures are the least of seven runs' means.
#include <alloca.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <execinfo.h>
#include <limits>

#include "unwind/self/self_unwinder.h"

namespace {

using mini::unwind::self::capture_caller;
using mini::unwind::self::CodeTable;
using mini::unwind::self::SelfUnwinder;

constinit CodeTable g_code;
constinit SelfUnwinder g_unwinder;
std::uint64_t g_frames = 0;

using Take = void (*)();

using Clock = std::chrono::steady_clock;
Clock::duration g_time{};

[[gnu::noinline]] void take_none() {
  const auto begin = Clock::now();
  g_time += Clock::now() - begin;
}
[[gnu::noinline]] void take_ours() {
  const auto begin = Clock::now();
  g_frames += g_unwinder.unwind(capture_caller()).count;
  g_time += Clock::now() - begin;
}
[[gnu::noinline]] void take_backtrace() {
  void* pcs[512];
  const auto begin = Clock::now();
  g_frames += static_cast<std::uint64_t>(backtrace(&pcs[0], 512));
  g_time += Clock::now() - begin;
}

// The two innermost frames, by two ways.
[[gnu::noinline]] void leaf_a(Take take) {
  take();
  asm volatile("");
}
[[gnu::noinline]] void leaf_b(Take take) {
  take();
  asm volatile("" : : : "memory");
}

struct Work {
  Take take;
  long rounds;
};

// At the bottom of a deep stack: only the leaves change.
[[gnu::noinline]] void change_leaves(const Work& work) {
  for (long i = 0; i < work.rounds; i += 2) {
    leaf_a(work.take);
    leaf_b(work.take);
  }
}

[[gnu::noinline]] long descend(int depth, const Work& work, void (*bottom)(const Work&)) {
  if (depth == 0) {
    bottom(work);
    return 1;
  }
  const long below = descend(depth - 1, work, bottom);
  asm volatile("");
  return below + 1;
}

[[gnu::noinline]] void shift_and_descend(int depth, const Work& work, long i) {
  auto* const gap = static_cast<volatile char*>(alloca(static_cast<std::size_t>(16 + i % 2 * 16)));
  gap[0] = 0;
  descend(depth, work, [](const Work& w) { w.take(); });
}

void run_anew(int depth, const Work& work) {
  for (long i = 0; i < work.rounds; ++i) shift_and_descend(depth, work, i);
}

void run_inner(int depth, const Work& work) {
  descend(depth, work, &change_leaves);
}

struct Cost {
  double ns = 0;
  double frames = 0;
};

Cost cost(void (*run)(int, const Work&), int depth, Take take, long rounds) {
  Cost least{.ns = std::numeric_limits<double>::max()};
  for (int i = 0; i < 7; ++i) {
    g_time = {};
    g_frames = 0;
    run(depth, {take, rounds});
    const double ns = std::chrono::duration<double, std::nano>(g_time).count();
    least.ns = std::min(least.ns, ns / static_cast<double>(rounds));
    least.frames = static_cast<double>(g_frames) / static_cast<double>(rounds);
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 100'000;
  g_code.refresh();
  if (rounds < 2 || !g_unwinder.start(g_code)) return 1;
  std::printf("%-10s %-10s %8s %10s %12s\n", "stack", "unwinder", "frames", "ns", "ns a frame");
  for (const int depth : {5, 20, 100}) {
    const struct {
      const char* stack;
      const char* unwinder;
      void (*run)(int, const Work&);
      Take take;
      long share;  // of the rounds
    } rows[] = {{"anew", "ours", &run_anew, &take_ours, 1},
                {"inner 2", "ours", &run_inner, &take_ours, 1},
                {"anew", "backtrace", &run_anew, &take_backtrace, 20},
                {"inner 2", "backtrace", &run_inner, &take_backtrace, 20}};
    for (const auto& row : rows) {
      const Cost clock = cost(row.run, depth, &take_none, rounds);
      Cost c = cost(row.run, depth, row.take, std::max(rounds / row.share, 2L));
      c.ns -= clock.ns;
      std::printf("%-10s %-10s %8.0f %10.1f %12.2f\n", row.stack, row.unwinder, c.frames, c.ns,
                  c.ns / c.frames);
    }
  }
  g_unwinder.stop();
  return 0;
}
