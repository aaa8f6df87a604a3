// Arranges its address space, then prints the kernel's own list of it (/proc/self/maps) and makes
// one recognisable call: what heapspy says is mapped at that call must be what the kernel listed.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPage = 4096, kMarker = 0x1d1d1001, kDeep = 1 << 20 };

static char buffer[1 << 16];

// The kernel extends the stack page by page, without a call.
static char use_stack(void) {
  volatile char deep[kDeep];
  for (size_t i = 0; i < kDeep; i += kPage) deep[i] = 1;
  return deep[0];
}

int main(void) {
  if (use_stack() != 1) return 1;
  char* block = malloc(50000);
  char* large = malloc(1 << 20);
  char* pages = mmap(NULL, 9 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 2 * kPage, kPage, PROT_READ);
  munmap(pages + 5 * kPage, 2 * kPage);
  if (sbrk(3000) == (char*)-1) return 1;

  const int list = open("/proc/self/maps", O_RDONLY);
  size_t used = 0;
  for (ssize_t got = 0; used < sizeof buffer; used += (size_t)got) {
    got = read(list, buffer + used, sizeof buffer - used);
    if (got <= 0) break;
  }
  close(list);
  munmap((char*)kMarker, kPage);
  if (write(STDOUT_FILENO, buffer, used) != (ssize_t)used) return 1;
  free(large);
  free(block);
  return 0;
}
