// C23's free_sized and free_aligned_sized, and the old cfree, where the library has them.
//   sized_free free_sized|cfree
#include <dlfcn.h>

#include "probe.h"

// NULL where the symbol is not malloc's own library's: an old cfree of libc's, say.
static void* own_function(const char* name) {
  Dl_info home, info;
  void* function = dlsym(RTLD_DEFAULT, name);
  EXPECT(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &home) != 0);
  if (function == NULL || dladdr(function, &info) == 0) return NULL;
  return strcmp(home.dli_fname, info.dli_fname) == 0 ? function : NULL;
}

static void check_free_sized(void) {
  void (*free_sized)(void*, size_t);
  void (*free_aligned_sized)(void*, size_t, size_t);
  *(void**)&free_sized = own_function("free_sized");
  *(void**)&free_aligned_sized = own_function("free_aligned_sized");
  if (free_sized == NULL || free_aligned_sized == NULL) skip("no free_sized, free_aligned_sized");
  free_sized(NULL, 0);
  free_sized(NULL, 100);
  free_aligned_sized(NULL, 64, 128);
  for (unsigned round = 0; round < 200; ++round) {
    for (size_t size = 0; size < 20 * MIB; size = size * 2 + round % 7) {
      void* block = malloc(size);
      fill(block, size, size);
      free_sized(block, size);
      free_sized(calloc(1, size), size);
      free_sized(realloc(malloc(10), size + 1), size + 1);
      if (round > 3 && size > 64 * KIB) break;
      for (size_t alignment = 1; alignment <= 64 * KIB; alignment *= 4) {
        const size_t multiple = (size + alignment - 1) & ~(alignment - 1);
        free_aligned_sized(aligned_alloc(alignment, multiple), alignment, multiple);
      }
      if (size == 0 && round % 7 == 0) size = 1;
    }
  }
}

static void check_cfree(void) {
  void (*cfree)(void*);
  *(void**)&cfree = own_function("cfree");
  if (cfree == NULL) skip("no cfree");
  cfree(NULL);
  for (size_t size = 0; size < 20 * MIB; size = size * 2 + 1) {
    for (unsigned i = 0; i < 100; ++i) cfree(malloc(size));
  }
}

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  if (strcmp(argv[1], "cfree") == 0) {
    check_cfree();
  } else {
    check_free_sized();
  }
  return ok();
}
