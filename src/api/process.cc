// What the library does once in a process: options, forks, the ends of threads, the report at exit.
#include "api/process.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc/allocator.h"
#include "api/options.h"
#include "api/report.h"
#include "kernel/vm/vm.h"

// The C++ ABI's, which every C library has; without a shared object to go with, the function is
// called after those of all libraries.
extern "C" int minimalloc_at_exit(void (*function)(void*), void* argument,
                                  void* shared_object) asm("__cxa_atexit");

// glibc's lock of the list of all streams, which a thread may take several times.
extern "C" {
void minimalloc_lock_streams() asm("_IO_list_lock") __attribute__((weak));
void minimalloc_unlock_streams() asm("_IO_list_unlock") __attribute__((weak));
void minimalloc_reset_streams() asm("_IO_list_resetlock") __attribute__((weak));
}

namespace mini::api {

// Defined in malloc.cc: this library's malloc, whichever one others find.
void* own_malloc(std::size_t bytes) noexcept;

namespace {

using alloc::g_allocator;

pthread_key_t g_key;
pid_t g_first_process;
constinit std::atomic<bool> g_watches_forks{false};

/// Where the report goes. Many programs close standard error as the last thing that they do, so it
/// is kept open, far from the numbers that they use; one that closes everything may have something
/// else there by then, and at standard error's own number too.
class ReportFile {
 public:
  /// The first call counts.
  void keep() {
    if (begun_.exchange(true, std::memory_order_relaxed)) return;
    struct stat status{};
    if (::fstat(STDERR_FILENO, &status) != 0) return;
    device_ = status.st_dev;
    inode_ = status.st_ino;
    constexpr int kFar = 700;  // of the 1024 that a process usually may have
    fd_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kFar);
    kept_.store(true, std::memory_order_release);
  }
  /// -1: standard error is open no more.
  int find() const {
    if (!kept_.load(std::memory_order_acquire)) return -1;
    for (const int fd : {fd_, STDERR_FILENO}) {
      struct stat status{};
      if (::fstat(fd, &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
        return fd;
      }
    }
    return -1;
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> kept_{false};
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};
constinit ReportFile g_report_file;

void end_thread(void*) {
  g_allocator.end_thread();
}

// Any value but null has the key's destructor called.
void watch_thread() {
  pthread_setspecific(g_key, &g_key);
}

// There may be two copies: the library is preloaded into a program that has the archive. One that
// others stand before, as a recorder does, serves the program all the same.
bool is_idle_copy() {
  auto* own = &own_malloc;
  asm("" : "+r"(own));  // else two functions have two addresses
  return own != &std::malloc && !g_allocator.has_served();
}

void report_at_exit(void*) {
  const StatsAtExit wanted = stats_at_exit();
  if (wanted == StatsAtExit::kNo) return;
  const bool child = ::getpid() != g_first_process;
  if ((child && wanted != StatsAtExit::kForChildrenToo) || is_idle_copy()) return;
  if (const int fd = g_report_file.find(); fd >= 0) write_report(fd, "at exit");
}

// How often this thread holds the list of streams, for forks that it is in the middle of.
constinit thread_local std::uint32_t t_streams_held __attribute__((tls_model("initial-exec"))) = 0;

// glibc's fork takes the list of streams once all handlers have run. Who holds it may wait for a
// stream, as fflush(nullptr) does, and who holds that may allocate, as getline does: so the list
// comes before the allocator's locks.
void before_fork() {
  if (minimalloc_lock_streams != nullptr && !kernel::vm::is_only_thread()) {
    minimalloc_lock_streams();
    ++t_streams_held;
  }
  g_allocator.before_fork();
}

void after_fork_in_parent() {
  g_allocator.after_fork_in_parent();
  if (t_streams_held == 0) return;
  --t_streams_held;
  minimalloc_unlock_streams();
}

void after_fork_in_child() {
  g_allocator.after_fork_in_child();
  if (t_streams_held == 0) return;
  t_streams_held = 0;
  minimalloc_reset_streams();
}

// As early as a library's code runs.
__attribute__((constructor(101))) void start() {
  const int saved = errno;
  read_environment(environ);
  describe_options();
  g_allocator.learn_system();
  g_first_process = ::getpid();
  if (stats_at_exit() != StatsAtExit::kNo) keep_report_file();
  minimalloc_at_exit(report_at_exit, nullptr, nullptr);
  if (pthread_key_create(&g_key, end_thread) == 0) {
    g_allocator.set_watch_thread(watch_thread);
    if (alloc::t_thread.cache != nullptr) watch_thread();
  }
  watch_forks();
  errno = saved;
}

}  // namespace

void watch_forks() {
  if (g_watches_forks.exchange(true, std::memory_order_relaxed)) return;
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void keep_report_file() {
  g_report_file.keep();
}

}  // namespace mini::api
