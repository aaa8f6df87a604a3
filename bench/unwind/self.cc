// Nanoseconds for a call stack of some depth, by the agent's unwinder and by backtrace(3).
//
//     unwind_self [ROUNDS]
//
// "anew": each stack lies 16 bytes from the one before, so all but the program's first frames are
// walked. "inner 2": of the stack before, the two innermost frames have changed. What the calls
// cost without a stack being taken is subtracted; the figures are the least of five runs.
#include <algorithm>
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

[[gnu::noinline]] void take_none() {
  asm volatile("");
}
[[gnu::noinline]] void take_ours() {
  g_frames += g_unwinder.unwind(capture_caller()).count;
}
[[gnu::noinline]] void take_backtrace() {
  void* pcs[512];
  g_frames += static_cast<std::uint64_t>(backtrace(&pcs[0], 512));
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

double ns_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

double time_anew(int depth, const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < work.rounds; ++i) shift_and_descend(depth, work, i);
  return ns_since(begin) / static_cast<double>(work.rounds);
}

double time_inner(int depth, const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  descend(depth, work, &change_leaves);
  return ns_since(begin) / static_cast<double>(work.rounds);
}

struct Cost {
  double ns = 0;
  double frames = 0;
};

Cost cost(double (*time)(int, const Work&), int depth, Take take, long rounds) {
  Cost least{.ns = std::numeric_limits<double>::max()};
  for (int run = 0; run < 5; ++run) {
    const double calls = time(depth, {&take_none, rounds});
    const std::uint64_t before = g_frames;
    const double all = time(depth, {take, rounds});
    least.ns = std::min(least.ns, all - calls);
    least.frames = static_cast<double>(g_frames - before) / static_cast<double>(rounds);
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
      double (*time)(int, const Work&);
      Take take;
      long share;  // of the rounds
    } rows[] = {{"anew", "ours", &time_anew, &take_ours, 1},
                {"inner 2", "ours", &time_inner, &take_ours, 1},
                {"anew", "backtrace", &time_anew, &take_backtrace, 20},
                {"inner 2", "backtrace", &time_inner, &take_backtrace, 20}};
    for (const auto& row : rows) {
      const Cost c = cost(row.time, depth, row.take, std::max(rounds / row.share, 2L));
      std::printf("%-10s %-10s %8.0f %10.1f %12.2f\n", row.stack, row.unwinder, c.frames, c.ns,
                  c.ns / c.frames);
    }
  }
  g_unwinder.stop();
  return 0;
}
