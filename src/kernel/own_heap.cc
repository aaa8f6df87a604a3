#include "kernel/own_heap.h"

#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23  // Linux 5.14; an older kernel refuses, and faults do it
#endif

namespace mini::kernel {

void warm_heap(Bytes bytes) {
  constexpr int kMostBlock = 32 << 20;  // of the heap itself, not mapped: glibc's HEAP_MAX_SIZE / 2
  constexpr int kKept = 64 << 20;
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_THRESHOLD, kMostBlock);
  ::mallopt(M_TRIM_THRESHOLD, kKept);
  ::mallopt(M_TOP_PAD, 1 << 20);
#endif
  void* const block = std::malloc(bytes.count);
  if (block == nullptr) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(block) & ~(page - 1);
  const auto end = (reinterpret_cast<std::uintptr_t>(block) + bytes.count) & ~(page - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
  std::free(block);
}

}  // namespace mini::kernel
