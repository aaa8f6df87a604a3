// Habits of programs: what each does with memory is hard for one stage, and easy for the next.
//
//   habits NAME    resize, churn, shorter, longer, large, many or threads
//
// Prints how much memory the process has at the end, when all but a little has been freed. Every
// block is written to, so that what was asked for is really had.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kKiB = 1024, kMaxBlocks = 1 << 13 };

static char* blocks[kMaxBlocks];

static void* allocate(size_t bytes) {
  char* block = malloc(bytes);
  if (block == NULL) {
    fputs("habits: no memory\n", stderr);
    exit(1);
  }
  return memset(block, 1, bytes);
}

static void free_all(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    free(blocks[i]);
    blocks[i] = NULL;
  }
}

// A sequence that looks random and is always the same.
static uint32_t next_number(uint32_t* state) {
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

// For stage 1: a block that is never longer than it was at first.
static void resize(void) {
  char* block = allocate(1000);
  for (size_t i = 0; i < 20000; ++i) {
    block = realloc(block, 600 + i % 400);
    if (block == NULL) exit(1);
    block[0] = 1;
  }
  free(block);
}

// For stage 2: a hundred blocks alive, of twenty thousand.
static void churn(void) {
  enum { kAlive = 100, kSteps = 20000 };
  for (size_t i = 0; i < kSteps; ++i) {
    free(blocks[i % kAlive]);
    blocks[i % kAlive] = allocate(100);
  }
  free_all(kAlive);
}

// As many blocks as make `total` bytes together, and all of them freed again.
static void round_of(size_t total, size_t size) {
  for (size_t i = 0; i < total / size; ++i) blocks[i] = allocate(size);
  free_all(total / size);
}

// For stage 3: a mebibyte in long blocks, then in shorter ones.
static void shorter(void) {
  for (size_t size = 64 * kKiB; size >= 256; size /= 2) round_of(1024 * kKiB, size);
}

// For stage 4: the other way round.
static void longer(void) {
  for (size_t size = 64; size <= 64 * kKiB; size *= 2) round_of(256 * kKiB, size);
}

// For stage 5: large blocks come and go, and something small behind each stays.
static void large(void) {
  enum { kCount = 16 };
  for (size_t i = 0; i < kCount; ++i) {
    blocks[i] = allocate(4096 * kKiB);
    blocks[kCount + i] = allocate(100);
  }
  free_all(kCount);
}

// For stage 6: many blocks of many sizes, and gaps between them, into which most do not fit.
static void many(void) {
  enum { kCount = 4000 };
  uint32_t state = 1;
  for (size_t i = 0; i < kCount; ++i) blocks[i] = allocate(16 + next_number(&state) % 1000);
  for (size_t size = 500; size <= 1500; size += 500) {
    for (size_t i = 0; i < kCount; i += 2) {
      free(blocks[i]);
      blocks[i] = NULL;
    }
    for (size_t i = 0; i < kCount; i += 2) blocks[i] = allocate(size + next_number(&state) % 500);
  }
  free_all(kCount);
}

static void* allocate_and_free(void* unused) {
  enum { kAlive = 16, kSteps = 200000 };
  char* own[kAlive] = {NULL};
  for (size_t i = 0; i < kSteps; ++i) {
    free(own[i % kAlive]);
    own[i % kAlive] = allocate(100);
  }
  for (size_t i = 0; i < kAlive; ++i) free(own[i]);
  return unused;
}

// For stage 7: threads that do nothing but allocate.
static void threads(void) {
  enum { kThreads = 4 };
  pthread_t ids[kThreads];
  for (size_t i = 0; i < kThreads; ++i) {
    if (pthread_create(&ids[i], NULL, allocate_and_free, NULL) != 0) exit(1);
  }
  for (size_t i = 0; i < kThreads; ++i) pthread_join(ids[i], NULL);
}

// A line of /proc/self/status, in KiB. Read with nothing that allocates.
static unsigned long status_kib(const char* name) {
  char text[4096] = "";
  const int file = open("/proc/self/status", O_RDONLY);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0) return 0;
  close(file);
  const char* line = strstr(text, name);
  return line == NULL ? 0 : strtoul(line + strlen(name), NULL, 10);
}

static const struct {
  const char* name;
  void (*run)(void);
} kHabits[] = {
    {"resize", resize}, {"churn", churn}, {"shorter", shorter}, {"longer", longer},
    {"large", large},   {"many", many},   {"threads", threads},
};

int main(int argc, char** argv) {
  for (size_t i = 0; argc == 2 && i < sizeof kHabits / sizeof kHabits[0]; ++i) {
    if (strcmp(argv[1], kHabits[i].name) != 0) continue;
    kHabits[i].run();
    const unsigned long end_kib = status_kib("VmRSS:");
    printf("resident at the peak: %lu KiB\n", status_kib("VmHWM:"));
    printf("resident at the end: %lu KiB\n", end_kib);
    return 0;
  }
  fputs("usage: habits resize|churn|shorter|longer|large|many|threads\n", stderr);
  return 2;
}
