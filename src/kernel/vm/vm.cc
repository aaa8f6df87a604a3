// Linux. Constants are the kernel's interface, written as numbers where headers may be older.
#include "kernel/vm/vm.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel/vm/quiet_write.h"
#include "kernel/vm/raw_syscall.h"

// Of glibc, from 2.35 on: how far from the thread pointer a thread's struct rseq is.
extern "C" const std::ptrdiff_t __rseq_offset __attribute__((weak));  // NOLINT: glibc's name

namespace mini::kernel::vm {
namespace {

constexpr int kMapFixedNoReplace = 0x10'0000;  // Linux 4.17; older kernels take `at` as a hint
constexpr int kMremapDontUnmap = 4;            // Linux 5.7
constexpr int kAdviseHuge = 14;                // MADV_HUGEPAGE
constexpr int kAdviseNoHuge = 15;              // MADV_NOHUGEPAGE
constexpr int kAdviseCold = 20;                // MADV_COLD
constexpr int kAdvisePopulateWrite = 23;       // MADV_POPULATE_WRITE
constexpr int kProcessMadvise = 440;           // SYS_process_madvise, Linux 5.10
constexpr int kSelf = -10001;                  // PIDFD_SELF_THREAD_GROUP, Linux 6.14

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

long map(void* at, std::size_t bytes, int protection, int flags) {
  return raw_syscall(SYS_mmap, at, bytes, protection, flags, -1, 0);
}

bool advise(void* at, std::size_t bytes, int advice) {
  return raw_syscall(SYS_madvise, at, bytes, advice) == 0;
}

// The text of a small file of the kernel's; 0 bytes where it cannot be read.
std::size_t read_file(const char* path, char* out, std::size_t size) {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return 0;
  const long count = raw_syscall(SYS_read, fd, out, size);
  raw_syscall(SYS_close, fd);
  return is_error(count) ? 0 : static_cast<std::size_t>(count);
}

// Whether system calls of this process pass a filter. One that was there when the program began
// may kill it for a call that malloc is not known to make.
bool is_filtered() {
  static constinit std::atomic<int> known{-1};  // asked once; whoever asks too gets the same answer
  if (const int answer = known.load(std::memory_order_relaxed); answer >= 0) return answer != 0;
  char text[2048] = {};
  const std::size_t size = read_file("/proc/self/status", text, sizeof text - 1);
  const bool filtered = std::string_view(text, size).find("Seccomp:\t0") == std::string_view::npos;
  known.store(filtered ? 1 : 0, std::memory_order_relaxed);
  return filtered;
}

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);  // libc answers from the vDSO: no system call
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

MapResult map_at(void* at, std::size_t bytes) {
  const long result = map(at, bytes, kReadWrite, kAnonymous | kMapFixedNoReplace);
  if (result == -EEXIST) return MapResult::kTaken;
  if (is_error(result)) return MapResult::kRefused;
  if (result == detail::word(at)) return MapResult::kMapped;
  raw_syscall(SYS_munmap, result, bytes);  // an older kernel: not there, so it chose elsewhere
  return MapResult::kTaken;
}

void* reserve(std::size_t bytes) {
  const long result = map(nullptr, bytes, PROT_NONE, kAnonymous);
  return is_error(result) ? nullptr : reinterpret_cast<void*>(result);
}

MapResult map_over(void* at, std::size_t bytes) {
  const long result = map(at, bytes, kReadWrite, kAnonymous | MAP_FIXED);
  return is_error(result) ? MapResult::kRefused : MapResult::kMapped;
}

bool lengthen(void* end, std::size_t bytes) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::byte* const last = static_cast<std::byte*>(end) - page_bytes;
  return !is_error(raw_syscall(SYS_mremap, last, page_bytes, page_bytes + bytes, 0));
}

bool unmap(void* at, std::size_t bytes) {
#if defined(__SANITIZE_THREAD__)
  // ThreadSanitizer sees only libc's: without, the same addresses, mapped next by another thread,
  // are to it memory that two threads write.
  return ::munmap(at, bytes) == 0;
#else
  return raw_syscall(SYS_munmap, at, bytes) == 0;
#endif
}

bool discard(void* at, std::size_t bytes) {
  return advise(at, bytes, MADV_DONTNEED);
}

bool discards_many_at_once() {
  static constinit std::atomic<int> known{-1};  // asked once; whoever asks too gets the same answer
  if (const int answer = known.load(std::memory_order_relaxed); answer >= 0) return answer != 0;
  // Of no range at all: kernels that do this for other processes only, or know no such name for
  // oneself, say so all the same.
  const Range none;
  const bool can =
      !is_filtered() && raw_syscall(kProcessMadvise, kSelf, &none, 1, MADV_DONTNEED, 0) == 0;
  known.store(can ? 1 : 0, std::memory_order_relaxed);
  return can;
}

std::uint32_t discard_all(const Range* ranges, std::uint32_t count) {
  static_assert(sizeof(Range) == sizeof(iovec) &&
                offsetof(Range, bytes) == offsetof(iovec, iov_len));
  std::uint32_t done = 0;
  if (count > 1 && discards_many_at_once()) {
    long advised = raw_syscall(kProcessMadvise, kSelf, ranges, count, MADV_DONTNEED, 0);
    for (; done < count && advised >= static_cast<long>(ranges[done].bytes); ++done) {
      advised -= static_cast<long>(ranges[done].bytes);
    }
  }
  while (done < count && discard(ranges[done].at, ranges[done].bytes)) ++done;
  return done;
}

bool populate(void* at, std::size_t bytes) {
  return advise(at, bytes, kAdvisePopulateWrite);
}

bool allow_huge_pages(void* at, std::size_t bytes, bool allow) {
  return advise(at, bytes, allow ? kAdviseHuge : kAdviseNoHuge);
}

// That the page has not been used of late is all that is said; but the kernel says that of no part
// of a huge page that has lost another one (mm/madvise.c, madvise_cold_or_pageout_pte_range).
bool break_up_huge_page(void* page, std::size_t bytes) {
  return advise(page, bytes, kAdviseCold);
}

std::uint32_t resident_share(const void* at, std::size_t bytes) {
  constexpr std::size_t kMostPages = (std::size_t{2} << 20) / 4096;  // the smallest pages there are
  unsigned char pages[kMostPages];
  // The lowest bit says it; for what the kernel's pages are larger, the rest of `pages` stays
  // clear.
  for (unsigned char& page : pages) page = 0;
  if (bytes > kMostPages * 4096 || is_filtered()) return 0;
  if (raw_syscall(SYS_mincore, at, bytes, &pages[0]) != 0) return 0;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t count = (bytes + page_bytes - 1) / page_bytes;
  std::size_t resident = 0;
  for (std::size_t i = 0; i < count; ++i) resident += pages[i] & 1U;
  return static_cast<std::uint32_t>(resident * 256 / count);
}

bool move_pages(void* from, void* to, std::size_t bytes) {
  const long result = raw_syscall(SYS_mremap, from, bytes, bytes,
                                  MREMAP_MAYMOVE | MREMAP_FIXED | kMremapDontUnmap, to);
  return !is_error(result);
}

std::size_t mapped_bytes(void* at, std::size_t bytes) {
  // Advice that changes nothing: an error where any of the pages is not mapped.
  const auto is_mapped = [at](std::size_t n) { return advise(at, n, MADV_NORMAL); };
  if (is_mapped(bytes)) return bytes;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t mapped = 0;
  for (std::size_t end = bytes / page_bytes; mapped + 1 < end;) {
    const std::size_t middle = mapped + (end - mapped) / 2;
    (is_mapped(middle * page_bytes) ? mapped : end) = middle;
  }
  return mapped * page_bytes;
}

HugePages huge_pages() {
  // "always [madvise] never": the word in brackets is what holds.
  char text[64] = {};
  const std::size_t size =
      read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
  for (std::size_t i = 0; i + 1 < size; ++i) {
    if (text[i] != '[') continue;
    if (text[i + 1] == 'm') return HugePages::kOnAdvice;
    if (text[i + 1] == 'n') return HugePages::kNever;
  }
  return HugePages::kAlways;
}

std::uint64_t coarse_now_ns() {
  return clock_ns(CLOCK_MONOTONIC_COARSE);
}

std::uint64_t now_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

std::uint32_t processor() {
  const auto thread = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  if (&__rseq_offset != nullptr) {
    // The kernel keeps both there, first of a struct rseq, if glibc could ask it to: the number,
    // and the same as an int, which is negative where it could not (a sandbox,
    // glibc.pthread.rseq=0).
    const auto* const known = reinterpret_cast<const volatile std::int32_t*>(
        thread + static_cast<std::uintptr_t>(__rseq_offset));
    if (known[1] >= 0) return static_cast<std::uint32_t>(known[1]);
  }
  return static_cast<std::uint32_t>((thread * 0x9e37'79b9'7f4a'7c15U) >> 48);
}

void wait(std::uint32_t* word, std::uint32_t expected) {
  raw_syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nullptr);
}

void wake_one(std::uint32_t* word) {
  raw_syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

void nap() {
  // A call that is made anyhow, since a sandbox may know no other.
  constexpr timespec kMoment{0, 50'000};
  const std::uint32_t nobody = 0;
  raw_syscall(SYS_futex, &nobody, FUTEX_WAIT_PRIVATE, nobody, &kMoment);
}

void write_error(const char* text, std::size_t length) {
  write_quietly(STDERR_FILENO, text, length);
}

}  // namespace mini::kernel::vm
