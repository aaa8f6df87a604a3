// relays: two thousand rounds of four threads each that end one after another, every second of
// which allocates by another way. What is left of one is soon used by the next.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { kRounds = 2000, kAtOnce = 4, kOdd = 50, kEven = 30 };

static void* volatile kept;

static __attribute__((noinline)) void odd_way(void) {
  kept = malloc(100);
}

static __attribute__((noinline)) void even_way(void) {
  kept = malloc(200);
}

static void* odd(void* none) {
  for (int i = 0; i < kOdd; ++i) odd_way();
  return none;
}

static void* even(void* none) {
  for (int i = 0; i < kEven; ++i) even_way();
  return none;
}

int main(void) {
  for (int round = 0; round < kRounds; ++round) {
    pthread_t threads[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i) {
      if (pthread_create(&threads[i], NULL, (round + i) % 2 == 0 ? even : odd, NULL) != 0) return 1;
    }
    for (int i = 0; i < kAtOnce; ++i) pthread_join(threads[i], NULL);
  }
  const long each = (long)kRounds * kAtOnce / 2;
  printf("%ld %ld\n", each * kOdd, each * kEven);
  return 0;
}
