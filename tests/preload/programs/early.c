// Allocation at the edges of a process's life: ahead of all constructors, in them, in main, in
// atexit handlers and destructors; a block made at each edge is checked and freed at the opposite
// one.
#include "probe.h"

enum { kBlocks = 50 };
typedef struct {
  void* blocks[kBlocks];
} Set;
static Set preinit_set, constructor_set, main_set;

static size_t size_of(size_t i) {
  return 1 + i * i * 37;
}

static void make(Set* set) {
  for (size_t i = 0; i < kBlocks; ++i) {
    set->blocks[i] = i % 2 == 0 ? malloc(size_of(i)) : calloc(1, size_of(i));
    EXPECT(set->blocks[i] != NULL);
    if (i % 2 == 1) check_zero(set->blocks[i], size_of(i));
    fill(set->blocks[i], size_of(i), i);
  }
}

static void end(Set* set) {
  for (size_t i = 0; i < kBlocks; ++i) {
    check_filled(set->blocks[i], size_of(i), size_of(i), i);
    set->blocks[i] = realloc(set->blocks[i], 2 * size_of(i));
    EXPECT(set->blocks[i] != NULL);
    check_filled(set->blocks[i], 2 * size_of(i), 1, i);
    free(set->blocks[i]);
  }
}

static void at_preinit(void) {
  make(&preinit_set);
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = at_preinit;

__attribute__((constructor)) static void construct(void) {
  end(&preinit_set);
  make(&constructor_set);
  make(&preinit_set);
}

static void at_exit_of_main(void) {
  end(&main_set);
  make(&main_set);
}

// The last of all: it says "ok", so that a crash before it is noticed by its absence as well.
__attribute__((destructor)) static void destruct(void) {
  end(&constructor_set);
  end(&preinit_set);
  end(&main_set);
  ok();
}

int main(void) {
  EXPECT_NUMBERS(atexit(at_exit_of_main), ==, 0);
  make(&main_set);
  return 0;
}
