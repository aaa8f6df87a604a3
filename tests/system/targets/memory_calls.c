// Makes every kind of memory system call once and prints the trace that is expected of it, one line
// a call:
//
//   <line> <syscall> <parameter>=<value> … -> <result or errno's name>
//
// with tabs in between. Numbers are hexadecimal. The first call, marked in its address, starts the
// part to compare; stdio gets a buffer of its own, so that nothing but these calls touches the
// address space.
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kPage = 4096, kMarker = 0x1d1d1001 };

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

// The parameters of the call to come, named as in their man pages; flags by name too.
static char parameters[512];

static void number(const char* name, uint64_t value) {
  const size_t used = strlen(parameters);
  snprintf(parameters + used, sizeof parameters - used, "\t%s=0x%lx", name, value);
}

static void text(const char* name, const char* value) {
  const size_t used = strlen(parameters);
  snprintf(parameters + used, sizeof parameters - used, "\t%s=%s", name, value);
}

static long report(int line, const char* syscall_name, long result) {
  if (result == -1) {
    printf("%d\t%s%s\t-> %s\n", line, syscall_name, parameters, strerrorname_np(errno));
  } else {
    printf("%d\t%s%s\t-> 0x%lx\n", line, syscall_name, parameters, result);
  }
  parameters[0] = '\0';
  return result;
}

// Each call stands in its caller's line, which is the one that heapspy must name.
#define CALL(name, ...) report(__LINE__, #name, syscall(SYS_##name, __VA_ARGS__))

static char* map(int line, long result) {
  return (char*)report(line, "mmap", result);
}

#define MAP(address, size, protection, map_flags, file, at)                                   \
  (number("addr", (uintptr_t)(address)), number("length", (size)), text("prot", #protection), \
   text("flags", #map_flags), number("fd", (uint64_t)(file)), number("offset", (at)),         \
   map(__LINE__,                                                                              \
       syscall(SYS_mmap, address, (size_t)(size), protection, map_flags, file, (long)(at))))

#define RANGE(address, size) \
  (number("addr", (uintptr_t)(address)), number("length", (uint64_t)(size)))
#define RANGE_LEN(address, size) \
  (number("addr", (uintptr_t)(address)), number("len", (uint64_t)(size)))

static void anonymous(void) {
  char* pages = MAP(NULL, 8 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  RANGE_LEN(pages + 2 * kPage, 2 * kPage), text("prot", "PROT_READ");
  CALL(mprotect, pages + 2 * kPage, 2 * kPage, PROT_READ);
  RANGE(pages + 5 * kPage, kPage);
  CALL(munmap, pages + 5 * kPage, kPage);
  MAP(pages, 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  RANGE(pages + 6 * kPage, 2 * kPage), text("advice", "MADV_DONTNEED");
  CALL(madvise, pages + 6 * kPage, 2 * kPage, MADV_DONTNEED);
  RANGE_LEN(pages + 6 * kPage, kPage);
  CALL(mlock, pages + 6 * kPage, kPage);
  RANGE_LEN(pages + 6 * kPage, kPage);
  CALL(munlock, pages + 6 * kPage, kPage);
  // The hole is at page 5; a length that is no multiple of the page takes all of the last one.
  RANGE(pages, 8 * kPage - 100);
  CALL(munmap, pages, 8 * kPage - 100);
}

static void remapping(void) {
  char* small = MAP(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  number("old_address", (uintptr_t)small), number("old_size", 2 * kPage);
  number("new_size", 64 * kPage), text("flags", "MREMAP_MAYMOVE");
  char* grown = (char*)CALL(mremap, small, 2 * kPage, 64 * kPage, MREMAP_MAYMOVE);
  number("old_address", (uintptr_t)grown), number("old_size", 64 * kPage);
  number("new_size", 3 * kPage), number("flags", 0);
  CALL(mremap, grown, 64 * kPage, 3 * kPage, 0);

  char* place = MAP(NULL, 4 * kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  number("old_address", (uintptr_t)grown), number("old_size", 3 * kPage);
  number("new_size", 4 * kPage), text("flags", "MREMAP_MAYMOVE|MREMAP_FIXED");
  number("new_address", (uintptr_t)place);
  CALL(mremap, grown, 3 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  number("old_address", (uintptr_t)place), number("old_size", 4 * kPage);
  number("new_size", 4 * kPage), text("flags", "MREMAP_MAYMOVE|MREMAP_DONTUNMAP");
  char* twin =
      (char*)CALL(mremap, place, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
  number("old_address", kPage), number("old_size", kPage);
  number("new_size", 2 * kPage), text("flags", "MREMAP_MAYMOVE");
  CALL(mremap, (char*)kPage, kPage, 2 * kPage, MREMAP_MAYMOVE);
  RANGE(twin, 4 * kPage);
  CALL(munmap, twin, 4 * kPage);
}

static void files(void) {
  const int program = open("/proc/self/exe", O_RDONLY);
  char* file = MAP(NULL, 5000, PROT_READ, MAP_PRIVATE, program, 0);
  MAP(file, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, program, kPage);
  const int memory = memfd_create("ours", 0);
  if (ftruncate(memory, 3 * kPage) != 0) exit(1);
  char* shared = MAP(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  RANGE(shared, 2 * kPage);
  CALL(munmap, shared, 2 * kPage);
}

static void failures(void) {
  MAP(NULL, kPage, PROT_READ, MAP_PRIVATE, 999, 0);
  MAP(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MAP(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* taken = MAP(NULL, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MAP(taken, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  RANGE_LEN(taken + 1, kPage), text("prot", "PROT_NONE");
  CALL(mprotect, taken + 1, kPage, PROT_NONE);
  RANGE(taken, kPage), number("advice", 9999);
  CALL(madvise, taken, kPage, 9999);
}

static void shared_memory(void) {
  const int segment = shmget(IPC_PRIVATE, 3 * kPage, IPC_CREAT | 0600);
  number("shmid", (uint64_t)segment), number("shmaddr", 0), number("shmflg", 0);
  char* writable = (char*)CALL(shmat, segment, NULL, 0);
  number("shmid", (uint64_t)segment), number("shmaddr", 0), text("shmflg", "SHM_RDONLY");
  char* readable = (char*)CALL(shmat, segment, NULL, SHM_RDONLY);
  shmctl(segment, IPC_RMID, NULL);
  number("shmaddr", (uintptr_t)writable);
  CALL(shmdt, writable);
  number("shmaddr", (uintptr_t)readable + kPage);
  CALL(shmdt, readable + kPage);
}

static void names_and_advice(void) {
  char* pages = MAP(NULL, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  text("option", "PR_SET_VMA"), text("attr", "PR_SET_VMA_ANON_NAME");
  number("addr", (uintptr_t)pages), number("size", 2 * kPage), text("val", "our own");
  CALL(prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, pages, 2 * kPage, "our own");

  const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  struct iovec range = {.iov_base = pages, .iov_len = kPage};
  number("pidfd", (uint64_t)self), number("vlen", 1), text("advice", "MADV_COLD");
  number("flags", 0);
  CALL(process_madvise, self, &range, 1, MADV_COLD, 0);
}

static void program_break(void) {
  number("addr", 0);
  char* start = (char*)CALL(brk, 0);
  number("addr", (uintptr_t)start + 3 * kPage + 1000);
  CALL(brk, start + 3 * kPage + 1000);
  number("addr", (uintptr_t)start + kPage);
  CALL(brk, start + kPage);
  number("addr", UINT64_C(1) << 46);
  CALL(brk, UINT64_C(1) << 46);  // refused: the kernel answers with the break as it is
}

int main(void) {
  static char buffer[1 << 16];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);

  RANGE(kMarker, kPage);
  CALL(munmap, kMarker, kPage);
  anonymous();
  remapping();
  files();
  failures();
  shared_memory();
  names_and_advice();
  program_break();
  return 0;
}
