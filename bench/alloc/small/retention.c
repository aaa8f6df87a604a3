// retention all|most [trim]: what a process still holds after it freed its blocks. It makes 430 MB
// of blocks of 16 to 1,024 bytes, writes them, frees all of them or nine in ten at random, asks the
// allocator to give back what it can (with `trim`), sleeps a second without a call, and prints its
// resident memory then and at the height. The list of blocks is no heap memory and not counted.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "resident.h"

enum { kMaxBlocks = 4 << 20 };
static const size_t kHeapBytes = 430000000;

static uint32_t random_next(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

// Small sizes are more frequent: 16 << 0…5 with equal parts, and evenly in between.
static size_t next_size(void) {
  const size_t low = (size_t)16 << random_next() % 6;
  return low + random_next() % (low + 1);
}

static const char* library_of(const char* name) {
  Dl_info info;
  void* function = dlsym(RTLD_DEFAULT, name);
  return function != NULL && dladdr(function, &info) != 0 ? info.dli_fname : "";
}

// Sets a pointer to a function; C has no cast from an object's address to it.
static int find(const char* name, void* pointer) {
  void* function = dlsym(RTLD_DEFAULT, name);
  memcpy(pointer, &function, sizeof function);
  return function != NULL;
}

// Returns the name of what it called: each allocator has its own, and glibc's malloc_trim is there
// under all of them.
static const char* give_back(void) {
  int (*malloc_trim)(size_t);
  void (*mi_collect)(_Bool force);
  void (*release)(void);
  int (*mallctl)(const char*, void*, size_t*, void*, size_t);
  if (strcmp(library_of("malloc_trim"), library_of("malloc")) == 0) {
    find("malloc_trim", &malloc_trim);
    malloc_trim(0);
    return "malloc_trim";
  }
  if (find("mi_collect", &mi_collect)) {
    mi_collect(1);
    return "mi_collect";
  }
  if (find("MallocExtension_ReleaseFreeMemory", &release)) {
    release();
    return "MallocExtension_ReleaseFreeMemory";
  }
  if (!find("mallctl", &mallctl)) return "";
  mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
  mallctl("arena.4096.purge", NULL, NULL, NULL, 0);  // 4096 stands for all arenas
  return "arena.purge";
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int frees_all = strcmp(argv[1], "all") == 0;
  const size_t list_bytes = kMaxBlocks * sizeof(void*);
  void** blocks =
      mmap(NULL, list_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (blocks == MAP_FAILED) return 1;
  memset(blocks, 0, list_bytes);

  size_t count = 0;
  size_t live_bytes = 0;
  while (live_bytes < kHeapBytes && count < kMaxBlocks) {
    const size_t bytes = next_size();
    void* block = malloc(bytes);
    if (block == NULL) return 1;
    memset(block, 1, bytes);
    blocks[count++] = block;
    live_bytes += bytes;
  }
  const long peak_kib = resident_kib() - (long)(list_bytes / 1024);
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!frees_all && random_next() % 10 == 0) {
      ++kept;
    } else {
      free(blocks[i]);
    }
  }
  munmap(blocks, list_bytes);
  const char* trimmed_by = argc > 2 ? give_back() : "";
  const struct timespec second = {1, 0};
  nanosleep(&second, NULL);
  const long after_kib = resident_kib();
  printf(
      "{\"peak_kib\": %ld, \"after_kib\": %ld, \"percent\": %.1f, \"kept_count\": %zu, "
      "\"trimmed_by\": \"%s\"}\n",
      peak_kib, after_kib, 100.0 * (double)after_kib / (double)peak_kib, kept, trimmed_by);
  return 0;
}
