// Every way to change an address space that a program has, one after another, in a fixed order.
// Exits with the number of the first step that did not do what it should; 0 where all did.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kPage = 4096 };
#define CHECK(step, condition)     \
  do {                             \
    if (!(condition)) return step; \
  } while (0)

static char* anonymous(size_t pages, int flags) {
  void* p = mmap(0, pages * kPage, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
  return p == MAP_FAILED ? 0 : p;
}

static int protections(void) {
  char* p = anonymous(10, MAP_PRIVATE);
  CHECK(1, p);
  CHECK(2, mprotect(p + 2 * kPage, 3 * kPage, PROT_NONE) == 0);
  CHECK(3, mprotect(p + 4 * kPage, 4 * kPage, PROT_READ | PROT_EXEC) == 0);
  CHECK(4, munmap(p + 6 * kPage, kPage) == 0);
  // The first part is done before the hole is met.
  CHECK(5, mprotect(p, 10 * kPage, PROT_READ) == -1);
  CHECK(6, munmap(p, 10 * kPage) == 0);
  CHECK(7, munmap(p + 1, kPage) == -1);
  CHECK(8, munmap(p, 0) == -1);
  return 0;
}

static int moves(void) {
  char* p = anonymous(8, MAP_PRIVATE);
  char* room = mmap(0, 64 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(10, p && room != MAP_FAILED);
  p[0] = 'a';
  p = mremap(p, 8 * kPage, 5 * kPage, 0);
  CHECK(11, p != MAP_FAILED);
  char* q = mremap(p, 5 * kPage, 9 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, room + 8 * kPage);
  CHECK(12, q == room + 8 * kPage && q[0] == 'a');
  q = mremap(q, 9 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, room + 40 * kPage);
  CHECK(13, q == room + 40 * kPage);
  char* old = q;
  q = mremap(q, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
  CHECK(14, q != MAP_FAILED && q != old && q[0] == 'a' && old[0] == 0);
  CHECK(15, mremap(q, 0, kPage, MREMAP_MAYMOVE) == MAP_FAILED);
  CHECK(16, mremap(room + kPage, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, 1) == MAP_FAILED);
  char* shared = anonymous(4, MAP_SHARED);
  CHECK(17, shared);
  char* twin = mremap(shared + kPage, 0, 2 * kPage, MREMAP_MAYMOVE);
  CHECK(18, twin != MAP_FAILED);
  twin[0] = 7;
  CHECK(19, shared[kPage] == 7);
  return 0;
}

static int files(const char* path) {
  int fd = open(path, O_RDONLY);
  CHECK(20, fd >= 0);
  char* p = mmap(0, 5 * kPage, PROT_READ, MAP_PRIVATE, fd, 0);
  char* q = mmap(0, 3 * kPage - 100, PROT_READ, MAP_SHARED, fd, kPage);
  CHECK(21, p != MAP_FAILED && q != MAP_FAILED);
  CHECK(22,
        mmap(p + kPage, kPage, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 2 * kPage) != MAP_FAILED);
  CHECK(23, mmap(p + 2 * kPage, kPage, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  CHECK(24, mremap(q, 3 * kPage, 8 * kPage, MREMAP_MAYMOVE) != MAP_FAILED);
  CHECK(25, mmap(0, kPage, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(26, mmap(0, kPage, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED);
  close(fd);
  int memory = (int)syscall(SYS_memfd_create, "with\nnewline", 0U);
  CHECK(27, memory >= 0 && ftruncate(memory, 3 * kPage) == 0);
  CHECK(28, mmap(0, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) != MAP_FAILED);
  int zero = open("/dev/zero", O_RDWR);
  CHECK(29, mmap(0, kPage, PROT_READ, MAP_PRIVATE, zero, 0) != MAP_FAILED);
  CHECK(30, mmap(0, kPage, PROT_READ, MAP_SHARED, zero, 0) != MAP_FAILED);
  char name[64];
  snprintf(name, sizeof name, "/tmp/mini-mappings-%d", getpid());
  int gone = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(31, gone >= 0 && ftruncate(gone, kPage) == 0 && unlink(name) == 0);
  CHECK(32, mmap(0, kPage, PROT_READ, MAP_SHARED, gone, 0) != MAP_FAILED);
  return 0;
}

static int shared_memory(void) {
  int id = shmget(IPC_PRIVATE, 6 * kPage, IPC_CREAT | 0600);
  CHECK(40, id >= 0);
  char* p = shmat(id, 0, 0);
  char* q = shmat(id, 0, SHM_RDONLY);
  shmctl(id, IPC_RMID, 0);
  CHECK(41, p != (char*)-1 && q != (char*)-1);
  CHECK(42, mprotect(p + kPage, kPage, PROT_NONE) == 0);
  CHECK(43, shmdt(p) == 0);
  CHECK(44, shmdt(p) == -1);
  return 0;
}

static int program_break(void) {
  char* start = sbrk(0);
  CHECK(50, sbrk(10 * kPage + 123) == start);
  CHECK(51, mprotect((char*)(((uintptr_t)start + 2 * kPage) & -(uintptr_t)kPage), kPage,
                     PROT_READ) == 0);
  CHECK(52, munmap((char*)(((uintptr_t)start + 5 * kPage) & -(uintptr_t)kPage), kPage) == 0);
  CHECK(53, sbrk(-4 * kPage) != (void*)-1);
  CHECK(54, sbrk(8 * kPage) != (void*)-1);
  CHECK(55, (uintptr_t)syscall(SYS_brk, 1UL) == (uintptr_t)sbrk(0));
  return 0;
}

static int names_and_advice(void) {
  char* p = anonymous(6, MAP_PRIVATE);
  char* shared = anonymous(3, MAP_SHARED);
  prctl(PR_SET_VMA, 0UL, p + kPage, 2UL * kPage, "a name");  // absent from some kernels
  prctl(PR_SET_VMA, 0UL, shared, 1UL * kPage, "shared name");
  prctl(PR_SET_VMA, 0UL, p + kPage, 1UL * kPage, 0UL);
  CHECK(60, madvise(p, 6 * kPage, MADV_DONTFORK) == 0);
  CHECK(61, madvise(p, 2 * kPage, MADV_DONTNEED) == 0);
  CHECK(62, mlock(p + 3 * kPage, kPage) == 0 || 1);
  CHECK(63, munlock(p, 6 * kPage) == 0 || 1);
  char* stack = mmap(0, 16 * kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  CHECK(64, stack != MAP_FAILED && mprotect(stack, kPage, PROT_NONE) == 0);
  return 0;
}

static int odd_calls(const char* path) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 8U, &context) == 0) syscall(SYS_io_destroy, context);
  context = 0;
  syscall(SYS_io_setup, 16U, &context);
  int fd = open(path, O_RDONLY);
  char* p = mmap(0, 4 * kPage, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(70, p != MAP_FAILED);
  syscall(SYS_remap_file_pages, p, (size_t)kPage, 0UL, 2UL, 0UL);
  mmap(0, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  CHECK(71,
        mmap(0, ~(size_t)0 - kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  CHECK(72, mmap((void*)(1UL << 40), kPage, PROT_READ,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void*)(1UL << 40));
  return 0;
}

int main(int argc, char** argv) {
  (void)argc;
  int step = protections();
  if (step == 0) step = moves();
  if (step == 0) step = files(argv[0]);
  if (step == 0) step = shared_memory();
  if (step == 0) step = program_break();
  if (step == 0) step = names_and_advice();
  if (step == 0) step = odd_calls(argv[0]);
  return step;
}
