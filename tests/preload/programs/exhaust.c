// Under a limit on its memory (set by whoever runs it) a program takes all there is: most of it can
// be had, the rest is refused with ENOMEM, and once it is freed it can be had again, also in other
// sizes.
//   exhaust --limit MEGABYTES KIND...    small, medium, large, huge, calloc, aligned, realloc,
//   threads
#include <errno.h>
#include <malloc.h>
#include <pthread.h>

#include "probe.h"

// Blocks in a list that runs through themselves: no memory besides is needed.
typedef struct Node {
  struct Node* next;
  size_t size;
} Node;

static size_t limit_bytes;

static size_t size_for(const char* kind, uint64_t* random) {
  if (strcmp(kind, "small") == 0) return sizeof(Node) + random_below(random, 300);
  if (strcmp(kind, "large") == 0) return 200 * KIB + random_below(random, 1 * MIB);
  if (strcmp(kind, "huge") == 0) return 4 * MIB + random_below(random, 4 * MIB);
  return 2000 + random_below(random, 30000);
}

static void* allocate(const char* kind, size_t size, uint64_t* random) {
  if (strcmp(kind, "calloc") == 0) return calloc(1, size);
  if (strcmp(kind, "aligned") == 0) return memalign((size_t)64 << random_below(random, 7), size);
  return malloc(size);
}

// Takes blocks until none is to be had; returns their list and their bytes.
static Node* take_all(const char* kind, uint64_t seed, size_t* bytes) {
  Node* list = NULL;
  *bytes = 0;
  for (uint64_t random = seed;;) {
    const size_t size = size_for(kind, &random);
    errno = 0;
    Node* node = allocate(kind, size, &random);
    if (node == NULL) {
      EXPECT_NUMBERS(errno, ==, ENOMEM);
      return list;
    }
    *bytes += size;
    *node = (Node){list, size};
    if (size > sizeof(Node)) ((char*)node)[size - 1] = 1;
    list = node;
  }
}

// Frees the first blocks of a list, and returns what is left of it.
static Node* give_back(Node* list, size_t count) {
  for (; list != NULL && count > 0; --count) {
    Node* next = list->next;
    if (list->size > sizeof(Node)) EXPECT_NUMBERS(((char*)list)[list->size - 1], ==, 1);
    free(list);
    list = next;
  }
  return list;
}

// With nothing left, everything else is refused as well, and what is there stays.
static void check_at_the_limit(void) {
  errno = 0;
  EXPECT(malloc(limit_bytes) == NULL);
  EXPECT_NUMBERS(errno, ==, ENOMEM);
  void* some = malloc(1);  // may or may not be there
  if (some != NULL) {
    errno = 0;
    EXPECT(realloc(some, limit_bytes) == NULL);
    EXPECT_NUMBERS(errno, ==, ENOMEM);
  }
  free(some);
  void* pointer = &some;
  EXPECT_NUMBERS(posix_memalign(&pointer, 64, limit_bytes), ==, ENOMEM);
  EXPECT(pointer == (void*)&some);
}

static void check_kind(const char* kind) {
  size_t first = 0, second = 0;
  Node* list = take_all(kind, 1, &first);
  EXPECT_SAYING(first > limit_bytes / 2, "%s: only %zu of %zu bytes", kind, first, limit_bytes);
  check_at_the_limit();
  // A few are freed: at least one of their kind is to be had again.
  const size_t size = list->size;
  list = give_back(list, 5);
  void* again = malloc(size);
  EXPECT_SAYING(again != NULL, "%s: %zu bytes", kind, size);
  free(again);
  give_back(list, (size_t)-1);
  list = take_all(kind, 2, &second);
  EXPECT_SAYING(second > first - first / 5, "%s: first %zu, then %zu bytes", kind, first, second);
  give_back(list, (size_t)-1);
}

// One block that grows until it cannot: it keeps its contents when it is refused.
static void check_realloc(void) {
  size_t size = 1000;
  unsigned char* block = malloc(size);
  EXPECT(block != NULL);
  fill(block, size, 3);
  for (;;) {
    errno = 0;
    unsigned char* grown = realloc(block, size * 3 / 2);
    if (grown == NULL) break;
    check_filled(grown, size, size, 3);
    block = grown;
    size = size * 3 / 2;
    fill(block, size, 3);
  }
  EXPECT_NUMBERS(errno, ==, ENOMEM);
  check_filled(block, size, size, 3);
  EXPECT_NUMBERS(size, >, limit_bytes / 8);
  free(block);
}

static void* exhaust_in_thread(void* argument) {
  size_t bytes = 0;
  const size_t me = (size_t)(uintptr_t)argument;
  give_back(take_all(me % 2 == 0 ? "small" : "medium", me, &bytes), (size_t)-1);
  return NULL;
}

static void check_threads(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * KIB);
  pthread_t threads[4];
  size_t started = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (pthread_create(&threads[started], &attributes, exhaust_in_thread, (void*)(uintptr_t)i) == 0)
      ++started;
  }
  EXPECT(started > 0);
  for (size_t i = 0; i < started; ++i) pthread_join(threads[i], NULL);
}

int main(int argc, char** argv) {
  limit_bytes = option(argc, argv, "--limit", 0) * MIB;
  EXPECT(limit_bytes > 0);
  watchdog(120);
  for (int i = 3; i < argc; ++i) {
    if (strcmp(argv[i], "realloc") == 0) {
      check_realloc();
    } else if (strcmp(argv[i], "threads") == 0) {
      check_threads();
    } else {
      check_kind(argv[i]);
    }
  }
  return ok();
}
