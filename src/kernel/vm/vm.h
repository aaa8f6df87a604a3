// What an allocator asks of the kernel: pages, and little else.
//
// The whole interface between libminimalloc (and heapspy's agent) and the operating system. No
// function allocates, throws, locks or touches errno; every one may be called before libc is
// initialised, from a signal handler and after fork. Addresses and sizes are multiples of the
// kernel's page size. tests/support/fake_vm.cc is the same interface, made to fail on demand.
#pragma once

#include <cstddef>
#include <cstdint>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define MINI_LIBC_COUNTS_THREADS 1
#endif

namespace mini::kernel::vm {

enum class MapResult : std::uint8_t {
  kMapped,
  kTaken,    // something is there already
  kRefused,  // no memory, a limit, an address that the kernel does not give
};

/// Maps [at, at + bytes) readable, writable, private and zero-filled, or changes nothing.
MapResult map_at(void* at, std::size_t bytes);

/// Holds a range of address space somewhere without making it usable; null where there is none.
void* reserve(std::size_t bytes);

/// The same as map_at inside a range of ours: what was there is replaced.
MapResult map_over(void* at, std::size_t bytes);

/// Makes a mapping of map_at() that ends at `end` so much longer, or changes nothing. Unlike
/// map_at() it is not refused where a process has as many mappings as it may (vm.max_map_count).
/// What was advised for the mapping's last page holds for the new ones.
bool lengthen(void* end, std::size_t bytes);

bool unmap(void* at, std::size_t bytes);

/// Gives the pages' memory back; they stay mapped and read as zeros. False where the kernel has no
/// such call for us (a sandbox): then nothing has changed.
bool discard(void* at, std::size_t bytes);

struct Range {
  void* at = nullptr;
  std::size_t bytes = 0;
};

/// Whether discard_all() is one call for up to 1,024 ranges (Linux 6.14): then a short one costs
/// half a microsecond, not ten.
bool discards_many_at_once();

/// The same for each of several ranges. Returns for how many, from the first on.
std::uint32_t discard_all(const Range* ranges, std::uint32_t count);

/// Makes pages resident without changing them, in one call instead of a fault each (Linux 5.14).
/// False where it cannot: then a touch does.
bool populate(void* at, std::size_t bytes);

/// Whether a fault in this range may bring a whole huge page.
bool allow_huge_pages(void* at, std::size_t bytes, bool allow);

/// Breaks up the huge page that a page lies in, where others of it were given back: else the kernel
/// keeps their memory until it is short of some (Linux 5.4). Takes some hundred microseconds.
bool break_up_huge_page(void* page, std::size_t bytes);

/// How much of a range of at most 2 MiB has memory, in 256ths; 0 where that cannot be found out.
std::uint32_t resident_share(const void* at, std::size_t bytes);

/// Moves the pages of [from, from + bytes) to `to`, which must be mapped by us and is replaced;
/// `from` stays mapped and reads as zeros (Linux 5.7). False: nothing has changed; or the first
/// pages, perhaps none, have been moved, and `to` is not mapped behind them: see mapped_bytes().
bool move_pages(void* from, void* to, std::size_t bytes);

/// How many of the bytes from `at` on are mapped, one after the other.
std::size_t mapped_bytes(void* at, std::size_t bytes);

/// What the system does with huge pages where nobody asked. A process that is excluded from them
/// (PR_SET_THP_DISABLE) is not told: it could have been asked only by a call that sandboxes kill
/// for.
enum class HugePages : std::uint8_t {
  kNever,
  kOnAdvice,  // only where allow_huge_pages() was
  kAlways,    // or it cannot be found out
};
HugePages huge_pages();

/// Nanoseconds of a clock that never goes back, a few milliseconds coarse.
std::uint64_t coarse_now_ns();
/// The same by the finest clock.
std::uint64_t now_ns();

/// Whether this is certainly the process's only thread: then it stays so until this thread makes
/// another. glibc knows (2.32), and relies on it in its own malloc.
inline bool is_only_thread() {
#if defined(MINI_LIBC_COUNTS_THREADS)
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

/// A number that threads which run at the same moment do not share, as far as can be known without
/// a system call: the processor's.
std::uint32_t processor();

/// Sleeps while *word == expected, until a wake_one() or for no reason at all.
void wait(std::uint32_t* word, std::uint32_t expected);
void wake_one(std::uint32_t* word);
/// Sleeps for a moment: unlike sched_yield(), it lets threads of lower priority run, too, one of
/// which may be whom the caller waits for.
void nap();

/// Writes to standard error, whole or not at all; errors are ignored, and bring no signal.
void write_error(const char* text, std::size_t length);

}  // namespace mini::kernel::vm
