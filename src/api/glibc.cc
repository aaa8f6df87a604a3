// What glibc's malloc tells and lets choose, answered for this allocator.
//
// The structures and numbers are glibc's interface, written out: headers of other C libraries lack
// them. What each field means here is in docs/man/minimalloc.7.
#include <algorithm>
#include <cstddef>
#include <unistd.h>

#include "alloc/options.h"
#include "alloc/statistics.h"
#include "api/export.h"
#include "api/report.h"

extern "C" {

struct MallInfo2 {
  std::size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct MallInfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

MallInfo2 mallinfo2() noexcept;
MallInfo mallinfo() noexcept;
int mallopt(int parameter, int value) noexcept;
int malloc_trim(std::size_t pad) noexcept;
void malloc_stats() noexcept;

}  // extern "C"

namespace {

using mini::alloc::g_allocator;
using mini::alloc::g_options;

constexpr int kMaxFast = 1;          // M_MXFAST
constexpr int kTrimThreshold = -1;   // M_TRIM_THRESHOLD
constexpr int kMostFastBytes = 160;  // what glibc takes for M_MXFAST on 64-bit machines

// Asking for less than this would cost a system call and faults for every other free().
constexpr std::size_t kLeastRetained = std::size_t{1} << 20;

void set_trim_threshold(int value) {
  constexpr std::size_t kAll = mini::alloc::Options::kByDefault - 1;
  const std::size_t bytes = value < 0 ? kAll : static_cast<std::size_t>(value);
  g_options.retained_bytes.store(std::max(bytes, kLeastRetained), std::memory_order_relaxed);
}

}  // namespace

extern "C" {

// The sums are glibc's too: arena == uordblks + fordblks, and large blocks are counted beside them.
// All zeros where a signal handler asks that interrupted malloc: glibc's waits for ever there.
MINIMALLOC_EXPORT MallInfo2 mallinfo2() noexcept {
  mini::alloc::Figures figures;
  if (!mini::alloc::read_figures(g_allocator, &figures)) return {};
  const mini::alloc::ClassSums small = mini::alloc::sum(figures.classes);
  constexpr std::size_t kPage = mini::alloc::kPageBytes;
  const std::size_t large = figures.large.pages * kPage;
  MallInfo2 info{};
  info.arena = (figures.used_pages + figures.free_pages) * kPage - large + figures.pools.bytes;
  info.ordblks = small.counts.cached + small.counts.in_depots + small.counts.free;
  info.smblks = small.counts.cached + small.counts.in_depots;
  info.hblks = figures.large.blocks;
  info.hblkhd = large;
  info.fsmblks = small.cached_bytes + small.depot_bytes;
  info.uordblks = small.in_use_bytes + figures.pools.live_bytes;
  info.fordblks = info.arena - info.uordblks;
  info.keepcost = figures.resident_free_pages * kPage;
  return info;
}

// Numbers from 2 GiB on wrap round, as glibc's do.
MINIMALLOC_EXPORT MallInfo mallinfo() noexcept {
  const MallInfo2 info = mallinfo2();
  const auto narrow = [](std::size_t value) { return static_cast<int>(value); };
  return {narrow(info.arena),    narrow(info.ordblks), narrow(info.smblks),  narrow(info.hblks),
          narrow(info.hblkhd),   narrow(info.usmblks), narrow(info.fsmblks), narrow(info.uordblks),
          narrow(info.fordblks), narrow(info.keepcost)};
}

// Accepted is what glibc accepts. The other parameters are about what this allocator has not: a
// threshold for mmap, arenas, a pad at the top of the heap, blocks that are filled.
MINIMALLOC_EXPORT int mallopt(int parameter, int value) noexcept {
  if (parameter == kMaxFast) return value >= 0 && value <= kMostFastBytes ? 1 : 0;
  if (parameter == kTrimThreshold) set_trim_threshold(value);
  return 1;
}

MINIMALLOC_EXPORT int malloc_trim(std::size_t) noexcept {
  return g_allocator.trim() ? 1 : 0;
}

MINIMALLOC_EXPORT void malloc_stats() noexcept {
  mini::api::write_report(STDERR_FILENO, "now");
}

}  // extern "C"
