// Changes its address space in ways that the usual calls are not: protection keys, file pages
// mapped anew, asynchronous I/O's ring, a stack that grows down, pages that a fork leaves out. The
// model must still equal the kernel's list. Prints what each did; a kernel may refuse some.
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };

static char* map(size_t pages, int flags) {
  return mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

static void report(const char* what, long result) {
  printf("%s: %s\n", what, result == -1 ? "refused" : "done");
}

__attribute__((noinline)) static int use_stack(int depth) {
  volatile char room[64 * 1024];
  memset((char*)(uintptr_t)room, depth, sizeof room);
  return depth == 0 ? room[0] : use_stack(depth - 1) + room[1];
}

static void children(void) {
  char* left_out = map(2, MAP_PRIVATE);
  report("left out by fork", madvise(left_out, kPage, MADV_DONTFORK));
  char* wiped = map(2, MAP_PRIVATE);
  report("wiped by fork", madvise(wiped, kPage, MADV_WIPEONFORK));
  const pid_t pid = fork();
  if (pid == 0) {
    munmap(wiped + kPage, kPage);
    _exit(map(1, MAP_PRIVATE) == MAP_FAILED);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  report("child", status == 0 ? 0 : -1);
}

int main(void) {
  char* keyed = map(4, MAP_PRIVATE);
  const long key = syscall(SYS_pkey_alloc, 0, 0);
  report("protection key", key);
  report("mprotect with a key",
         syscall(SYS_pkey_mprotect, keyed + kPage, kPage, PROT_READ, key == -1 ? -1 : (int)key));

  char* shared = map(4, MAP_SHARED);
  report("file pages remapped", syscall(SYS_remap_file_pages, shared, kPage, 0, 2, 0));

  aio_context_t ring = 0;
  report("ring made", syscall(SYS_io_setup, 8, &ring));
  report("ring destroyed", syscall(SYS_io_destroy, ring));

  char* downwards = map(16, MAP_PRIVATE | MAP_GROWSDOWN | MAP_STACK);
  report("growing down", downwards == MAP_FAILED ? -1 : 0);
  report("stack used", use_stack(20) & 0);

  char* locked = map(6, MAP_PRIVATE | MAP_NORESERVE);
  report("locked on fault", syscall(SYS_mlock2, locked + kPage, kPage, MLOCK_ONFAULT));
  report("read ahead", madvise(locked, 2 * kPage, MADV_WILLNEED));
  report("kept out of dumps", madvise(locked + 3 * kPage, kPage, MADV_DONTDUMP));
  report("in the low 2 GiB", map(2, MAP_PRIVATE | MAP_32BIT) == MAP_FAILED ? -1 : 0);
  children();
  return 0;
}
