#include "kernel/own_heap.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23  // Linux 5.14; an older kernel refuses, and faults do it
#endif

namespace mini::kernel {
namespace {

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

/// Has the heap take so many bytes of addresses at once, and give nothing back. What it has then;
/// nothing where malloc is another one, or was refused them.
Range reserve_heap(Bytes bytes) {
  if (bytes == Bytes{}) return {};
#if defined(__GLIBC__)
  constexpr int kLaterStep = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(kHugePage));  // a table that grows leaves no holes
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::mallopt(M_TOP_PAD, static_cast<int>(bytes.count));
  void* const block = std::malloc(kLaterStep);  // more than the heap begins with
  ::mallopt(M_TOP_PAD, kLaterStep);
  const auto begin = reinterpret_cast<std::uintptr_t>(block);
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  std::free(block);
  if (begin != 0 && end - begin <= 2 * bytes.count) return {begin, end};
#endif
  return {};
}

/// Addresses that are not used are no loss where there is no limit to them.
bool has_limit() {
  return std::ranges::any_of(std::array{RLIMIT_AS, RLIMIT_DATA}, [](auto resource) {
    rlimit limit{};
    return ::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  });
}

constexpr std::uintptr_t round_up(std::uintptr_t address, std::uintptr_t step) {
  return (address + step - 1) & ~(step - 1);
}

void advise(Range range, int advice) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = range.begin & ~(page - 1);
  const std::uintptr_t end = range.end & ~(page - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void prepare_heap(const HeapPlan& plan) {
  const Range heap =
      reserve_heap(has_limit() ? plan.resident : std::max(plan.resident, plan.huge_end));
  if (heap.end == 0) return;
  const auto until = [&heap](Bytes bytes) { return std::min(heap.begin + bytes.count, heap.end); };
  advise({round_up(heap.begin + plan.huge_begin.count, kHugePage), until(plan.huge_end)},
         MADV_HUGEPAGE);
  advise({heap.begin, until(plan.resident)}, MADV_POPULATE_WRITE);
}

void use_huge_pages(void* block, std::size_t bytes) {
  if (bytes < kHugePage) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(block);
  advise({begin, begin + bytes}, MADV_HUGEPAGE);
}

}  // namespace mini::kernel
