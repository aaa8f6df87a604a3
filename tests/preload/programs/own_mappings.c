// A program that maps memory of its own all over the address space: at random hints, and right
// beside its blocks, where an allocator may have meant to grow.
#include <sys/mman.h>

#include "workload.h"

enum { kMost = 300 };
typedef struct {
  unsigned char* start;
  size_t size;
} Mapping;
static Mapping mappings[kMost];

static const Workload* neighbours;

static void* choose_hint(uint64_t* random) {
  const void* block = neighbours->blocks[random_below(random, kWorkloadSlots)];
  const uintptr_t page = (uintptr_t)block & ~(uintptr_t)0xfff;
  switch (random_below(random, 4)) {
    case 0:
      return NULL;
    case 1:
      return (void*)(uintptr_t)(next_random(random) & 0x7ffffffff000);
    case 2:
      return (void*)(page + random_size(random, 24) / 4096 * 4096);
    default:
      return (void*)(page - random_size(random, 24) / 4096 * 4096);
  }
}

static void map(Mapping* mapping, uint64_t* random) {
  const int exact = random_below(random, 2) == 0 ? MAP_FIXED_NOREPLACE : 0;
  mapping->size = (1 + random_below(random, 40)) * 4096;
  void* hint = choose_hint(random);
  void* start = mmap(hint, mapping->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | (hint != NULL ? exact : 0), -1, 0);
  if (start == MAP_FAILED) return;  // taken, or not an address for a program
  mapping->start = start;
  fill(mapping->start, mapping->size, (uintptr_t)start);
}

static void unmap(Mapping* mapping) {
  check_filled(mapping->start, mapping->size, mapping->size, (uintptr_t)mapping->start);
  EXPECT_NUMBERS(munmap(mapping->start, mapping->size), ==, 0);
  mapping->start = NULL;
}

int main(void) {
  static Workload load;
  load.random = 21;
  neighbours = &load;
  uint64_t random = 22;
  for (unsigned round = 0; round < 3000; ++round) {
    workload_run(&load, 10);
    Mapping* mapping = &mappings[random_below(&random, kMost)];
    if (mapping->start == NULL) {
      map(mapping, &random);
    } else {
      unmap(mapping);
    }
  }
  EXPECT_NUMBERS(load.refused, ==, 0);
  workload_end(&load);
  for (size_t i = 0; i < kMost; ++i) {
    if (mappings[i].start != NULL) unmap(&mappings[i]);
  }
  return ok();
}
