// What the programs ask about themselves, and what they do their work with: memory figures, clocks,
// random numbers, patterns in blocks. Nothing here allocates.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "expect.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

// The number after `key` in a file of /proc; fails where there is none.
static inline size_t number_in(const char* path, const char* key) {
  char text[4096];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT_SAYING(fd >= 0, "%s", path);
  size_t length = 0;
  for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) {
    length += (size_t)got;
  }
  close(fd);
  text[length] = '\0';
  const char* at = strstr(text, key);
  EXPECT_SAYING(at != NULL, "%s in %s", key, path);
  return strtoul(at + strlen(key), NULL, 10);
}

// Exact, unlike statm, whose counters the kernel keeps per processor; costs a page table walk.
static inline size_t rss_bytes(void) {
  return number_in("/proc/self/smaps_rollup", "\nRss:") * KIB;
}
static inline size_t peak_rss_bytes(void) {
  return number_in("/proc/self/status", "VmHWM:") * KIB;
}
static inline size_t mapped_bytes(void) {
  return number_in("/proc/self/status", "VmSize:") * KIB;
}

static inline double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void sleep_ms(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

// Whether a thread sleeps until another one wakes it.
static inline bool waits_for_another(int thread) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread);
  char text[32] = "";
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT_SAYING(fd >= 0, "%s", path);
  EXPECT(read(fd, text, sizeof text - 1) > 0);
  close(fd);
  return strncmp(text, "running", 7) != 0 && strtol(text, NULL, 10) == SYS_futex;
}

static inline void bark(int signal_number) {
  (void)signal_number;
  say(STDERR_FILENO, "watchdog: the program hangs\n");
  _exit(1);
}

// Ends the program with a message if it is still there after so many seconds of a usual machine.
// Not inherited by fork.
static inline void watchdog(unsigned seconds) {
  const unsigned slowest = 5;  // times slower
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = bark;
  sigaction(SIGALRM, &action, NULL);
  alarm(seconds * slowest);
}

// splitmix64: the same numbers everywhere for the same seed.
static inline uint64_t next_random(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline size_t random_below(uint64_t* state, size_t limit) {
  return (size_t)(next_random(state) % limit);
}

// Sizes as programs have them: as many between 16 and 32 as between 16384 and 32768.
static inline size_t random_size(uint64_t* state, unsigned bits) {
  return (size_t)(next_random(state) & (((uint64_t)1 << random_below(state, bits + 1)) - 1));
}

// Fills a block with bytes that follow from `seed` and the place; large ones only in part: the
// first and last 4 KiB, and 8 bytes of each 4 KiB between, of each 128 KiB from 4 MiB on.
static inline unsigned char pattern_byte(uint64_t seed, size_t at) {
  return (unsigned char)(seed + at * 31 + (at >> 8));
}

static inline size_t next_in_pattern(size_t at, size_t size) {
  if (size <= 8 * KIB || at < 4 * KIB || at >= size - 4 * KIB) return at + 1;
  const size_t stride = size < 4 * MIB ? 4 * KIB : 128 * KIB;
  if (at % stride < 7) return at + 1;
  const size_t next = at / stride * stride + stride;
  return next < size - 4 * KIB ? next : size - 4 * KIB;
}

static inline void fill(void* block, size_t size, uint64_t seed) {
  unsigned char* bytes = (unsigned char*)block;
  for (size_t at = 0; at < size; at = next_in_pattern(at, size)) bytes[at] = pattern_byte(seed, at);
}

// Is a block of `filled` bytes still what fill() made it, as far as `size`?
static inline void check_filled(const void* block, size_t filled, size_t size, uint64_t seed) {
  const unsigned char* bytes = (const unsigned char*)block;
  for (size_t at = 0; at < size; at = next_in_pattern(at, filled)) {
    EXPECT_SAYING(bytes[at] == pattern_byte(seed, at),
                  "byte %zu of %zu of the block at %p is %#x, was %#x", at, filled, block,
                  bytes[at], pattern_byte(seed, at));
  }
}

static inline void check_zero(const void* block, size_t size) {
  const unsigned char* bytes = (const unsigned char*)block;
  if (size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0)) return;
  for (size_t at = 0; at < size; ++at) {
    EXPECT_SAYING(bytes[at] == 0, "byte %zu of %zu of the block at %p is %#x", at, size, block,
                  bytes[at]);
  }
}

static inline bool is_aligned(const void* block, size_t alignment) {
  return ((uintptr_t)block & (alignment - 1)) == 0;
}

// The number after an option of the command line, "--seconds 5"; `otherwise` where it is not given.
static inline size_t option(int argc, char** argv, const char* name, size_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (strcmp(argv[i], name) == 0) return strtoul(argv[i + 1], NULL, 10);
  }
  return otherwise;
}
