// lru REQUESTS: a cache in front of something slow: values of 64 bytes to 64 KiB, some keys asked
// for far more often than others, at most 96 MiB of values; what was used longest ago makes room.
#include "work.h"

enum { kKeys = 200000, kBudgetBytes = 96 << 20 };

typedef struct Entry {
  struct Entry* newer;
  struct Entry* older;
  void* value;
  uint32_t key;
  uint32_t bytes;
} Entry;

static Entry* entries[kKeys];
static Entry ends = {&ends, &ends, NULL, 0, 0};  // ends.older is the newest, ends.newer the oldest
static size_t held_bytes;

static void unlink_entry(Entry* entry) {
  entry->newer->older = entry->older;
  entry->older->newer = entry->newer;
}

static void link_newest(Entry* entry) {
  entry->newer = &ends;
  entry->older = ends.older;
  entry->older->newer = entry;
  ends.older = entry;
}

static uint64_t evict(Entry* entry) {
  unlink_entry(entry);
  held_bytes -= entry->bytes;
  entries[entry->key] = NULL;
  const uint64_t word = block_free(entry->value);
  free(entry);
  return word;
}

static Entry* fetch(uint32_t key, uint32_t bytes) {
  Entry* entry = malloc(sizeof *entry);
  if (entry == NULL) fail("malloc returned NULL");
  *entry = (Entry){NULL, NULL, block_new(bytes, key), key, bytes};
  held_bytes += bytes;
  return entries[key] = entry;
}

int main(int argc, char** argv) {
  const long requests = argument(argc, argv, 1);
  const Sizes sizes = sizes_between(64, 64 << 10);
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 0; i < requests; ++i) {
    const uint64_t part = random_below(&random, kKeys);
    const uint32_t key = (uint32_t)(part * part / kKeys);
    Entry* entry = entries[key];
    if (entry == NULL) {
      entry = fetch(key, (uint32_t)random_size(&sizes, &random));
    } else {
      sum += block_word(entry->value);
      unlink_entry(entry);
    }
    link_newest(entry);
    while (held_bytes > kBudgetBytes) sum += evict(ends.newer);
  }
  while (ends.newer != &ends) sum += evict(ends.newer);
  report_sum("lru", sum);
  return 0;
}
