/* Uses every function of <heapspy/annotate.h>, and asks the kernel for pages itself. */
#include <heapspy/annotate.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char* pool;

__attribute__((noinline)) static void use_pool(void) {
  for (int i = 0; i < 10; ++i) heapspy_pool_allocated(pool + 100 * i, 100);
  for (int i = 0; i < 6; ++i) heapspy_pool_freed(pool + 100 * i);
}

__attribute__((noinline)) static void map_pages(void) {
  char* pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  heapspy_name_memory(pages, 1 << 20, "texture cache");
  madvise(pages, 8192, MADV_DONTNEED);
  munmap(pages, 4096);
  pages = mremap(pages + 4096, (1 << 20) - 4096, 1 << 21, MREMAP_MAYMOVE);
  if (pages == MAP_FAILED) abort();
}

__attribute__((noinline)) static void move_break(void) {
  if (sbrk(65536) == (void*)-1 || sbrk(-16384) == (void*)-1) abort();
}

int main(void) {
  heapspy_mark("begin");
  pool = malloc(10000);
  heapspy_pool_memory(pool);
  use_pool();
  map_pages();
  move_break();
  heapspy_mark("end");
  free(pool);
  return 0;
}
