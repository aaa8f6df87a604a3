// Names are those of glibc, exported or internal; libstdc++'s operators come into malloc
// themselves.
#include "inject/safe_moment.h"

#include <algorithm>
#include <array>
#include <sys/syscall.h>

namespace mini::inject {
namespace {

using std::string_view_literals::operator""sv;

// Entries of malloc.c.
constexpr std::array kAllocatorFunctions = {
    "malloc"sv,
    "calloc"sv,
    "realloc"sv,
    "reallocarray"sv,
    "free"sv,
    "cfree"sv,
    "aligned_alloc"sv,
    "memalign"sv,
    "posix_memalign"sv,
    "valloc"sv,
    "pvalloc"sv,
    "malloc_trim"sv,
    "malloc_info"sv,
    "mallinfo"sv,
    "mallinfo2"sv,
    "malloc_stats"sv,
    "mallopt"sv,
    "__libc_malloc"sv,
    "__libc_calloc"sv,
    "__libc_realloc"sv,
    "__libc_free"sv,
    "__libc_memalign"sv,
    "__libc_freeres"sv,
    "__malloc_arena_thread_freeres"sv,
    "__libc_thread_freeres"sv,
};

// What is further in need not have been called from one of these: an entry may end in a jump, which
// leaves no frame of it, as memalign and aligned_alloc do. So these are the rest of malloc.c, of
// all versions; only in the C library, where they mean what they mean there.
constexpr std::array kAllocatorParts = {
    "_mid_memalign"sv,
    "sysmalloc"sv,
    "sysmalloc_mmap"sv,
    "sysmalloc_mmap_fallback"sv,
    "systrim"sv,
    "mtrim"sv,
    "heap_trim"sv,
    "new_heap"sv,
    "alloc_new_heap"sv,
    "grow_heap"sv,
    "shrink_heap"sv,
    "delete_heap"sv,
    "arena_get2"sv,
    "arena_get_retry"sv,
    "reused_arena"sv,
    "get_free_list"sv,
    "detach_arena"sv,
    "unlink_chunk"sv,
    "munmap_chunk"sv,
    "mremap_chunk"sv,
    "malloc_consolidate"sv,
    "malloc_printerr"sv,
    "ptmalloc_init"sv,
    "madvise_thp"sv,
    "alloc_perturb"sv,
    "free_perturb"sv,
    "int_mallinfo"sv,
    "top_check"sv,
    "mem2mem_check"sv,
    "malloc_check"sv,
    "free_check"sv,
    "realloc_check"sv,
    "memalign_check"sv,
    "malloc_hook_ini"sv,
    "realloc_hook_ini"sv,
    "memalign_hook_ini"sv,
};
constexpr std::array kAllocatorPartPrefixes = {"_int_"sv, "tcache_"sv, "__malloc_"sv};

// They hold the loader's locks, or walk its lists, though they are in the C library.
constexpr std::array kLoaderFunctions = {
    "dlopen"sv,       "dlclose"sv,         "dlsym"sv,           "dlvsym"sv,
    "dlmopen"sv,      "dladdr"sv,          "dladdr1"sv,         "dlinfo"sv,
    "dlerror"sv,      "dl_iterate_phdr"sv, "_dl_find_object"sv, "__libc_dlopen_mode"sv,
    "__libc_dlsym"sv,
};

// They hold locks of the C library that loading a library may need, or come back twice.
constexpr std::array kDelicateFunctions = {
    "fork"sv,
    "__libc_fork"sv,
    "vfork"sv,
    "_Fork"sv,
    "posix_spawn"sv,
    "posix_spawnp"sv,
    "pthread_create"sv,
    "pthread_exit"sv,
    "exit"sv,
    "quick_exit"sv,
    "__cxa_atexit"sv,
    "__cxa_finalize"sv,
    "__cxa_thread_atexit_impl"sv,
    "atexit"sv,
    "pthread_atfork"sv,
    "__register_atfork"sv,
    "__run_exit_handlers"sv,
    "abort"sv,
    "setcontext"sv,
    "swapcontext"sv,
    "__nptl_deallocate_stack"sv,
};

// A thread that waits in one of these was called from no allocator and no loader: they never do.
constexpr auto kWaits = std::to_array<std::uint64_t>({
    SYS_read,   SYS_recvfrom, SYS_recvmsg,         SYS_accept,        SYS_accept4,
    SYS_ppoll,  SYS_pselect6, SYS_epoll_pwait,     SYS_nanosleep,     SYS_clock_nanosleep,
    SYS_wait4,  SYS_waitid,   SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_write,
    SYS_sendto, SYS_sendmsg,  SYS_connect,
#if defined(__x86_64__)
    SYS_poll,   SYS_select,   SYS_epoll_wait,      SYS_pause,
#endif
});

// They wait for another thread by a futex, as locks of the allocator and the loader do; but what
// they wait for is the program's own, and inside them nothing is held that dlopen needs. The second
// ones are what some of the first end in by a jump.
constexpr std::array kThreadWaits = {
    "pthread_cond_wait"sv,
    "pthread_cond_timedwait"sv,
    "pthread_cond_clockwait"sv,
    "cnd_wait"sv,
    "cnd_timedwait"sv,
    "pthread_mutex_lock"sv,
    "pthread_mutex_timedlock"sv,
    "pthread_mutex_clocklock"sv,
    "mtx_lock"sv,
    "mtx_timedlock"sv,
    "pthread_rwlock_rdlock"sv,
    "pthread_rwlock_timedrdlock"sv,
    "pthread_rwlock_clockrdlock"sv,
    "pthread_rwlock_wrlock"sv,
    "pthread_rwlock_timedwrlock"sv,
    "pthread_rwlock_clockwrlock"sv,
    "pthread_barrier_wait"sv,
    "pthread_join"sv,
    "pthread_timedjoin_np"sv,
    "pthread_clockjoin_np"sv,
    "thrd_join"sv,
    "sem_wait"sv,
    "sem_timedwait"sv,
    "sem_clockwait"sv,

    "pthread_clockjoin_ex"sv,
    "pthread_mutex_lock_full"sv,
    "new_sem_wait_slow64"sv,
};

template <typename List, typename Item>
bool contains(const List& list, const Item& item) {
  return std::ranges::find(list, item) != list.end();
}

/// In whatever module: a program may have brought its own.
bool is_allocator_function(std::string_view function) {
  return contains(kAllocatorFunctions, function) || function.starts_with("operator new") ||
         function.starts_with("operator delete");
}

/// A function's name without what the compiler appends to copies ("_mid_memalign.constprop.0"), and
/// without a symbol's version.
std::string_view without_suffix(std::string_view function) {
  return function.substr(0, function.find_first_of(".@"));
}

/// The name that programs know: "malloc" of "__GI___libc_malloc". Several stand for one address.
std::string_view public_name(std::string_view function) {
  for (const std::string_view prefix : {"__GI_"sv, "__libc_"sv, "__"sv}) {
    if (function.starts_with(prefix)) function.remove_prefix(prefix.size());
  }
  return function;
}

bool is_allocator_part(std::string_view function) {
  return contains(kAllocatorParts, function) ||
         std::ranges::any_of(kAllocatorPartPrefixes, [function](std::string_view prefix) {
           return function.starts_with(prefix);
         });
}

Moment judge_library_frame(const unwind::Frame& frame, bool waits) {
  const std::string_view function = without_suffix(frame.function);
  const std::string_view known = public_name(function);
  if (is_allocator_function(known) || is_allocator_part(function)) return Moment::kInAllocator;
  for (const std::string_view name : {function, known}) {
    if (contains(kLoaderFunctions, name)) return Moment::kInLoader;
    if (contains(kDelicateFunctions, name)) return Moment::kInLibrary;
  }
  return frame.function.empty() && !waits ? Moment::kInLibrary : Moment::kGood;
}

Moment judge_frame(const unwind::Frame& frame, const Landmarks& landmarks, bool waits) {
  if (frame.module == landmarks.loader) return Moment::kInLoader;
  if (contains(landmarks.allocators, frame.module) || is_allocator_function(frame.function)) {
    return Moment::kInAllocator;
  }
  if (frame.module == landmarks.c_library) return judge_library_frame(frame, waits);
  return Moment::kGood;
}

/// How many of the innermost frames are a wait for another thread: the function of the C library
/// that was called for it, and what that has called, which has few names in a stripped library.
std::size_t frames_of_thread_wait(const unwind::CallStack& stack, const Landmarks& landmarks) {
  std::size_t count = 0;
  for (const unwind::Frame& frame : stack.frames) {
    if (frame.module != landmarks.c_library) return 0;
    ++count;
    std::string_view function = without_suffix(frame.function);
    function.remove_prefix(std::min(function.find_first_not_of('_'), function.size()));
    if (contains(kThreadWaits, function)) return count;
  }
  return 0;
}

/// From inside out, without the last.
struct FrameNumbers {
  std::size_t first = 0;
  std::size_t last = 0;
  bool contain(std::size_t number) const { return first <= number && number < last; }
};

/// Through which frames the C library called the program's main or its thread's function, in a
/// library without names: they are known by their places. Outside them is __libc_start_main; a
/// thread's are two, the outermost ("start_thread", "clone3").
FrameNumbers unnamed_way_in(const unwind::CallStack& stack, const Landmarks& landmarks) {
  const auto& frames = stack.frames;
  const auto of_library = [&](const unwind::Frame& frame) {
    return frame.module == landmarks.c_library;
  };
  const auto start = std::ranges::find_if(frames, [&](const unwind::Frame& frame) {
    return of_library(frame) && frame.function == "__libc_start_main";
  });
  const bool is_thread = start == frames.end();
  if (is_thread && stack.end != unwind::StackEnd::kComplete) return {};
  const auto last = static_cast<std::size_t>(start - frames.begin());
  const std::size_t count = is_thread ? 2 : 1;
  if (last <= count || of_library(frames[last - count - 1])) return {};
  const bool are_unnamed = std::ranges::all_of(
      frames.begin() + static_cast<std::ptrdiff_t>(last - count), start,
      [&](const unwind::Frame& frame) { return of_library(frame) && frame.function.empty(); });
  return are_unnamed ? FrameNumbers{last - count, last} : FrameNumbers{};
}

}  // namespace

Moment judge(const unwind::CallStack& stack, const Landmarks& landmarks,
             std::optional<std::uint64_t> system_call) {
  const bool waits = system_call && contains(kWaits, *system_call);
  const bool is_in_futex = system_call && *system_call == SYS_futex;
  const std::size_t judged = is_in_futex ? frames_of_thread_wait(stack, landmarks) : 0;
  const FrameNumbers way_in = unnamed_way_in(stack, landmarks);
  for (std::size_t i = judged; i < stack.frames.size(); ++i) {
    if (way_in.contain(i)) continue;
    const Moment moment = judge_frame(stack.frames[i], landmarks, waits);
    if (moment != Moment::kGood) return moment;
  }
  const bool is_whole = stack.end == unwind::StackEnd::kComplete && !stack.frames.empty();
  return is_whole || waits ? Moment::kGood : Moment::kUnknownStack;
}

std::string_view describe(Moment moment) {
  switch (moment) {
    case Moment::kInAllocator:
      return "inside the allocator";
    case Moment::kInLoader:
      return "inside the loader";
    case Moment::kInLibrary:
      return "in the middle of the C library";
    case Moment::kUnknownStack:
      return "in code whose callers cannot be found out";
    case Moment::kGood:
      break;
  }
  return "at a good moment";
}

}  // namespace mini::inject
