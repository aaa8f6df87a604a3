// N pairs of an allocation and its free, of the kind named: costs_test.py counts what a pair costs.
//   pairs KIND N
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The C++ library is not needed to call them.
extern void* _Znwm(size_t bytes);
extern void _ZdlPvm(void* p, size_t bytes);

static void keep(void* p) {
  __asm__ volatile("" : : "r"(p) : "memory");
}

static void malloc_64(void) {
  void* p = malloc(64);
  keep(p);
  free(p);
}

static void malloc_1000(void) {
  void* p = malloc(1000);
  keep(p);
  free(p);
}

static void calloc_64(void) {
  void* p = calloc(4, 16);
  keep(p);
  free(p);
}

static void new_64(void) {
  void* p = _Znwm(64);
  keep(p);
  _ZdlPvm(p, 64);
}

static const struct {
  const char* name;
  void (*pair)(void);
} kinds[] = {{"malloc_64", malloc_64},
             {"malloc_1000", malloc_1000},
             {"calloc_64", calloc_64},
             {"new_64", new_64}};

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  // What the first blocks of a size cost is another matter.
  for (int i = 0; i < 200; ++i) keep(malloc(i % 2 == 0 ? 64 : 1000));
  const long count = atol(argv[2]);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    if (strcmp(kinds[i].name, argv[1]) != 0) continue;
    for (long n = 0; n < count; ++n) kinds[i].pair();
    return 0;
  }
  return 2;
}
