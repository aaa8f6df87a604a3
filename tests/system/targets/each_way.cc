// Asks for blocks in every way that C and C++ have, gives each back in the way that belongs to it,
// and counts them.
//
//   once
//         so many rounds; prints "NAME: BLOCKS BYTES" of each way, which is the function that
//         allocates
//   loop [NAME]
//         for ever, or that way alone; SIGUSR1 has it count from now on, SIGUSR2 print what it
//         counted since, in counted_block()
//
// Which allocator serves it is the linker's business.
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <unistd.h>

namespace {

constexpr unsigned kRounds = 200;
constexpr unsigned kLeastBytes = 8;
constexpr unsigned kMostBytes = 3000;
constexpr unsigned kLastsSeconds = 1200;  // should the test die, this does too
constexpr std::align_val_t kAlignment{64};

using std::nothrow;
using std::size_t;

}  // namespace

// A function for each way, by whose name its stacks are found.
#define WAY(name, allocation, release)                           \
  extern "C" __attribute__((noinline)) void* name(size_t bytes); \
  void* name(size_t bytes) {                                     \
    return allocation;                                           \
  }                                                              \
  static void free_of_##name(void* block, const size_t& bytes) { \
    (void)bytes;                                                 \
    release;                                                     \
  }

WAY(by_malloc, std::malloc(bytes), std::free(block))
WAY(by_calloc, std::calloc(1, bytes), std::free(block))
WAY(by_aligned_alloc, std::aligned_alloc(64, bytes), std::free(block))
WAY(by_realloc, std::realloc(nullptr, bytes), std::free(block))
WAY(by_reallocarray, reallocarray(nullptr, bytes / 8, 8), std::free(block))
WAY(by_memalign, memalign(64, bytes), std::free(block))
WAY(by_valloc, valloc(bytes), std::free(block))
WAY(by_new, ::operator new(bytes), ::operator delete(block))
WAY(by_new_sized, ::operator new(bytes), ::operator delete(block, bytes))
WAY(by_new_nothrow, ::operator new(bytes, nothrow), ::operator delete(block, nothrow))
WAY(by_new_aligned, ::operator new(bytes, kAlignment), ::operator delete(block, kAlignment))
WAY(by_new_aligned_sized, ::operator new(bytes, kAlignment),
    ::operator delete(block, bytes, kAlignment))
WAY(by_new_aligned_nothrow, ::operator new(bytes, kAlignment, nothrow),
    ::operator delete(block, kAlignment, nothrow))
WAY(by_array, ::operator new[](bytes), ::operator delete[](block))
WAY(by_array_sized, ::operator new[](bytes), ::operator delete[](block, bytes))
WAY(by_array_nothrow, ::operator new[](bytes, nothrow), ::operator delete[](block, nothrow))
WAY(by_array_aligned, ::operator new[](bytes, kAlignment), ::operator delete[](block, kAlignment))
WAY(by_array_aligned_sized, ::operator new[](bytes, kAlignment),
    ::operator delete[](block, bytes, kAlignment))
WAY(by_array_aligned_nothrow, ::operator new[](bytes, kAlignment, nothrow),
    ::operator delete[](block, kAlignment, nothrow))

#if defined(HAS_MALLOCX)
extern "C" {
void* mallocx(size_t bytes, int flags);
void* rallocx(void* block, size_t bytes, int flags);
size_t xallocx(void* block, size_t bytes, size_t extra, int flags);
void dallocx(void* block, int flags);
void sdallocx(void* block, size_t bytes, int flags);
}
constexpr int kLog2OfAlignment = 6;

extern "C" __attribute__((noinline)) void* by_rallocx(void* block, size_t bytes);
void* by_rallocx(void* block, size_t bytes) {
  return rallocx(block, bytes, 0);
}

extern "C" __attribute__((noinline)) size_t by_xallocx(void* block, size_t bytes);
size_t by_xallocx(void* block, size_t bytes) {
  return xallocx(block, bytes, 0, 0);
}

WAY(by_mallocx, mallocx(bytes, 0), sdallocx(block, bytes, 0))
WAY(by_mallocx_aligned, mallocx(bytes, kLog2OfAlignment), dallocx(block, 0))
#endif

#undef WAY

extern "C" __attribute__((noinline)) void* by_posix_memalign(size_t bytes);
void* by_posix_memalign(size_t bytes) {
  void* block = nullptr;
  return posix_memalign(&block, 64, bytes) == 0 ? block : nullptr;
}

namespace {

struct Way {
  const char* name;
  void* (*allocate)(size_t);
  void (*release)(void*, const size_t&);
};

#define WAY(name) {#name, name, free_of_##name}
constexpr Way kWays[] = {
    WAY(by_malloc),
    WAY(by_calloc),
    WAY(by_aligned_alloc),
    WAY(by_realloc),
    WAY(by_reallocarray),
    WAY(by_memalign),
    {"by_posix_memalign", by_posix_memalign, free_of_by_memalign},
    WAY(by_valloc),
    WAY(by_new),
    WAY(by_new_sized),
    WAY(by_new_nothrow),
    WAY(by_new_aligned),
    WAY(by_new_aligned_sized),
    WAY(by_new_aligned_nothrow),
    WAY(by_array),
    WAY(by_array_sized),
    WAY(by_array_nothrow),
    WAY(by_array_aligned),
    WAY(by_array_aligned_sized),
    WAY(by_array_aligned_nothrow),
#if defined(HAS_MALLOCX)
    WAY(by_mallocx),
    WAY(by_mallocx_aligned),
#endif
};
#undef WAY

volatile std::sig_atomic_t g_is_counting;
volatile std::sig_atomic_t g_is_asked;
unsigned long g_blocks;
unsigned long g_bytes;

void on_count(int /*signal*/) {
  g_blocks = g_bytes = 0;
  g_is_counting = 1;
}

void on_ask(int /*signal*/) {
  g_is_counting = 0;
  g_is_asked = 1;
}

/// A multiple of 64, which aligned_alloc may insist on.
size_t size_of_round(unsigned round) {
  return (kLeastBytes + round * 97 % kMostBytes + 63) / 64 * 64;
}

#if defined(HAS_MALLOCX)
void resize() {
  constexpr size_t kBytes = 2000;
  constexpr size_t kMoreInPlace = 2010;
  constexpr size_t kTooMany = size_t{1} << 40;  // in place, that is
  for (unsigned round = 0; round < kRounds; ++round) {
    void* const block = by_rallocx(std::malloc(1), kBytes);
    if (by_xallocx(block, kMoreInPlace) < kMoreInPlace) std::abort();
    if (by_xallocx(block, kTooMany) >= kTooMany) std::abort();
    std::free(block);
  }
  std::printf("by_rallocx: %u %zu\n", kRounds, kRounds * kBytes);
  std::printf("by_xallocx: %u %zu\n", kRounds, kRounds * kMoreInPlace);
}
#endif

void once() {
  for (const Way& way : kWays) {
    unsigned long bytes = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
      const size_t size = size_of_round(round);
      void* const block = way.allocate(size);
      std::memset(block, 1, size);
      way.release(block, size);
      bytes += size;
    }
    std::printf("%s: %u %lu\n", way.name, kRounds, bytes);
  }
#if defined(HAS_MALLOCX)
  resize();
#endif
}

}  // namespace

extern "C" __attribute__((noinline)) void* counted_block(void* (*allocate)(size_t), size_t size);

void* counted_block(void* (*allocate)(size_t), size_t size) {
  void* const block = allocate(size);
  ++g_blocks;
  g_bytes += size;
  return block;
}

namespace {

/// `only`: the name of a way, or null.
[[noreturn]] void loop(const char* only) {
  std::printf("runs: %d\n", getpid());
  std::fflush(stdout);
  for (unsigned round = 0;; ++round) {
    for (const Way& way : kWays) {
      if (only != nullptr && std::strcmp(only, way.name) != 0) continue;
      const size_t size = size_of_round(round);
      void* const block =
          g_is_counting != 0 ? counted_block(way.allocate, size) : way.allocate(size);
      std::memset(block, 1, size);
      way.release(block, size);
    }
    if (g_is_asked == 0) continue;
    g_is_asked = 0;
    std::printf("counted: %lu %lu\n", g_blocks, g_bytes);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** words) {
  alarm(kLastsSeconds);
  if (count < 2 || std::strcmp(words[1], "loop") != 0) {
    once();
    return 0;
  }
  struct sigaction action{};
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_count;
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_handler = on_ask;
  sigaction(SIGUSR2, &action, nullptr);
  loop(count > 2 ? words[2] : nullptr);
}
