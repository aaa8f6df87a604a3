// zeroed COUNT: calloc, as simulators, tables and parsers use it: records of a few words, and now
// and then a table of up to 1 MiB of which a part is used. Every byte is checked to be zero before
// it is written.
#include "work.h"

enum { kRecords = 50000, kTables = 40, kRecordsPerTable = 200 };

typedef struct {
  unsigned char* bytes;
  size_t size;
} Zeroed;

static void check_zero(const unsigned char* bytes, size_t size) {
  size_t i = 0;
  for (uint64_t word; i + sizeof word <= size; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    if (word != 0) fail("calloc returned a block that is not zero");
  }
  for (; i < size; ++i) {
    if (bytes[i] != 0) fail("calloc returned a block that is not zero");
  }
}

static void replace(Zeroed* slot, size_t size, size_t used) {
  free(slot->bytes);
  slot->bytes = calloc(1, size);
  if (slot->bytes == NULL) fail("calloc returned NULL");
  slot->size = size;
  check_zero(slot->bytes, used);
  memset(slot->bytes, (int)(size % 251) + 1, used);
}

static uint64_t sum_of(const Zeroed* slots, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (slots[i].bytes != NULL) sum += slots[i].size * slots[i].bytes[0];
  }
  return sum;
}

int main(int argc, char** argv) {
  const long count = argument(argc, argv, 1);
  const Sizes record_sizes = sizes_between(16, 512);
  const Sizes table_sizes = sizes_between(4 << 10, 1 << 20);
  static Zeroed records[kRecords];
  static Zeroed tables[kTables];
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const size_t size = random_size(&record_sizes, &random);
    replace(&records[random_below(&random, kRecords)], size, size);
    if (i % kRecordsPerTable != 0) continue;
    const size_t table_size = random_size(&table_sizes, &random);
    replace(&tables[random_below(&random, kTables)], table_size, table_size / 2);
    sum += sum_of(tables, kTables);
  }
  report_sum("zeroed", sum + sum_of(records, kRecords));
  return 0;
}
