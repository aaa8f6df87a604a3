// Keys of pthread's whose destructors allocate, free and set themselves anew, round after round,
// with keys made before and after the allocator could make its own; and no memory is lost by it.
//   thread_keys [--threads N]
#include <pthread.h>

#include "probe.h"

enum { kKeys = 8 };
static pthread_key_t keys[kKeys];

typedef struct {
  unsigned rounds_left;
  unsigned key;
  void* block;
  size_t size;
} Value;

static Value* new_value(unsigned rounds, unsigned key) {
  Value* value = malloc(sizeof *value);
  EXPECT(value != NULL);
  value->rounds_left = rounds;
  value->key = key;
  value->size = 40 + 700 * rounds * (key + 1);
  value->block = calloc(1, value->size);
  EXPECT(value->block != NULL);
  check_zero(value->block, value->size);
  fill(value->block, value->size, rounds);
  return value;
}

static void end_value(void* argument) {
  Value* value = argument;
  check_filled(value->block, value->size, value->size, value->rounds_left);
  value->block = realloc(value->block, value->size * 3);
  EXPECT(value->block != NULL);
  check_filled(value->block, value->size * 3, 16, value->rounds_left);
  if (value->rounds_left > 1) {
    Value* next = new_value(value->rounds_left - 1, value->key);
    EXPECT_NUMBERS(pthread_setspecific(keys[value->key], next), ==, 0);
  }
  free(value->block);
  free(value);
}

// Four rounds are what POSIX promises (PTHREAD_DESTRUCTOR_ITERATIONS): no more are asked for.
static void* work(void* unused) {
  (void)unused;
  for (unsigned i = 0; i < kKeys; ++i) pthread_setspecific(keys[i], new_value(1 + i % 4, i));
  void* block = malloc(100);
  EXPECT(block != NULL);
  free(block);
  return NULL;
}

// For a thread that never allocates before its destructors do.
static void first_call_in_destructor(void* value) {
  (void)value;
  void* block = malloc(1000);
  EXPECT(block != NULL);
  fill(block, 1000, 5);
  check_filled(block, 1000, 1000, 5);
  free(block);
}

static pthread_key_t late_key;
static void* only_set(void* unused) {
  (void)unused;
  static int something;
  pthread_setspecific(late_key, &something);
  return NULL;
}

static void run_threads(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    pthread_t one, two;
    EXPECT_NUMBERS(pthread_create(&one, NULL, work, NULL), ==, 0);
    EXPECT_NUMBERS(pthread_create(&two, NULL, only_set, NULL), ==, 0);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
  }
}

// Before main, hence before any allocator that makes its key at the first call from the program.
static void make_first_keys(void) {
  for (unsigned i = 0; i < kKeys / 2; ++i) pthread_key_create(&keys[i], end_value);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = make_first_keys;

int main(int argc, char** argv) {
  for (unsigned i = kKeys / 2; i < kKeys; ++i) {
    EXPECT_NUMBERS(pthread_key_create(&keys[i], end_value), ==, 0);
  }
  EXPECT_NUMBERS(pthread_key_create(&late_key, first_call_in_destructor), ==, 0);
  const size_t count = option(argc, argv, "--threads", 3000);
  run_threads(count / 10);
  const size_t before = rss_bytes();
  run_threads(count);
  EXPECT_NUMBERS(rss_bytes(), <, before + 1 * MIB);
  return ok();
}
