// As many mmap calls as its argument says, one in two undone at once, all in the end.
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 200000;
  for (int i = 0; i < count; ++i) {
    void* page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
    if (munmap(page, 4096) != 0) return 2;
  }
  return 0;
}
