// A memory system call that cannot return before another thread has mapped memory: the context
// that io_setup reads lies in a page that a thread of the same process must provide (userfaultfd).
// Exits with 77 where userfaultfd is not to be had.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 4 };

static void* serve(void* argument) {
  const int fd = *(int*)argument;
  for (;;) {
    struct uffd_msg message;
    if (read(fd, &message, sizeof message) != (ssize_t)sizeof message) return 0;
    // The reason for this test: the server maps memory while a call of another thread waits for it.
    char* source = mmap(0, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~(uint64_t)(kPage - 1),
                               .src = (uint64_t)(uintptr_t)source,
                               .len = kPage};
    ioctl(fd, UFFDIO_COPY, &copy);
    munmap(source, kPage);
  }
}

int main(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {.api = UFFD_API};
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0) return 77;
  char* area = mmap(0, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)area, kPages * kPage},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (area == MAP_FAILED || ioctl(fd, UFFDIO_REGISTER, &range) != 0) return 77;
  pthread_t thread;
  pthread_create(&thread, 0, serve, &fd);
  // io_setup looks at the context first, which must be zero, then maps a ring.
  const long result = syscall(SYS_io_setup, 8U, area + kPage);
  return result == 0 && *(uint64_t*)(area + kPage) != 0 ? 0 : 1;
}
