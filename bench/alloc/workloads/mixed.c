// mixed OBJECTS THREADS REPLACEMENTS: small objects of many sizes, replaced at random. Each thread
// has a working set of OBJECTS of its own, which no other thread sees: in the caches of the
// processor or far larger than they are.
#include "work.h"

enum { kMaxThreads = 64 };

typedef struct {
  void** objects;
  uint64_t random;
  uint64_t sum;
} WorkingSet;

static pthread_barrier_t barrier;  // all working sets are there at the same time
static Sizes sizes;
static uint32_t objects_count;
static long replacements_count;

static void* work(void* data) {
  WorkingSet* set = data;
  for (uint32_t i = 0; i < objects_count; ++i) {
    set->objects[i] = block_new(random_size(&sizes, &set->random), i);
  }
  pthread_barrier_wait(&barrier);
  for (long i = 0; i < replacements_count; ++i) {
    void** slot = &set->objects[random_below(&set->random, objects_count)];
    set->sum += block_free(*slot);
    *slot = block_new(random_size(&sizes, &set->random), (uint32_t)i);
  }
  pthread_barrier_wait(&barrier);
  for (uint32_t i = 0; i < objects_count; ++i) set->sum += block_free(set->objects[i]);
  return NULL;
}

int main(int argc, char** argv) {
  objects_count = (uint32_t)argument(argc, argv, 1);
  const long threads = argument(argc, argv, 2);
  replacements_count = argument(argc, argv, 3) / threads;
  if (threads > kMaxThreads) fail("too many threads");
  sizes = sizes_between(16, 1024);

  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  WorkingSet sets[kMaxThreads];
  pthread_t running[kMaxThreads];
  for (long i = 0; i < threads; ++i) {
    sets[i] = (WorkingSet){calloc(objects_count, sizeof(void*)), (uint64_t)i + 1, 0};
    if (sets[i].objects == NULL) fail("calloc returned NULL");
    if (threads > 1) running[i] = thread_start(work, &sets[i]);
  }
  if (threads == 1) work(&sets[0]);
  uint64_t sum = 0;
  for (long i = 0; i < threads; ++i) {
    if (threads > 1) pthread_join(running[i], NULL);
    sum += sets[i].sum;
    free(sets[i].objects);
  }
  report_sum("mixed", sum);
  return 0;
}
