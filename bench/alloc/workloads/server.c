// server THREADS SHIFTS REPLACEMENTS: a server of the classic kind. Each worker keeps the objects
// of its connections in a table and replaces random ones. When a shift ends its thread ends too,
// and a new thread takes over the table of another: so it frees what a thread that is gone
// allocated. One object in eight goes through a common mailbox, and is freed by whichever worker
// finds it.
#include <stdatomic.h>

#include "work.h"

enum { kSlots = 20000, kMailboxes = 512, kMaxThreads = 64 };

typedef struct {
  void* slots[kSlots];
  uint64_t random;
  uint64_t made;
  uint64_t freed;
} Table;

static Table tables[kMaxThreads];
static _Atomic(void*) mailboxes[kMailboxes];
static Sizes sizes;
static long replacements_per_shift;

static void* work_one_shift(void* data) {
  Table* table = data;
  for (long i = 0; i < replacements_per_shift; ++i) {
    const uint64_t dice = random_next(&table->random);
    void* block = block_new(random_size(&sizes, &table->random), (uint32_t)dice);
    table->made += block_word(block);
    const size_t slot = (dice >> 32) % kSlots;
    table->freed += block_free(table->slots[slot]);
    if ((dice & 0x700000000000000u) == 0) {
      block = atomic_exchange(&mailboxes[dice % kMailboxes], block);
    }
    table->slots[slot] = block;
  }
  return NULL;
}

int main(int argc, char** argv) {
  const long threads = argument(argc, argv, 1);
  const long shifts = argument(argc, argv, 2);
  replacements_per_shift = argument(argc, argv, 3);
  if (threads > kMaxThreads) fail("too many threads");
  sizes = sizes_between(16, 1024);
  for (long i = 0; i < threads; ++i) tables[i].random = (uint64_t)i + 1;

  for (long shift = 0; shift < shifts; ++shift) {
    pthread_t workers[kMaxThreads];
    for (long i = 0; i < threads; ++i) {
      workers[i] = thread_start(work_one_shift, &tables[(i + shift) % threads]);
    }
    for (long i = 0; i < threads; ++i) pthread_join(workers[i], NULL);
  }

  uint64_t made = 0;
  uint64_t freed = 0;
  for (long i = 0; i < threads; ++i) {
    for (int slot = 0; slot < kSlots; ++slot) freed += block_free(tables[i].slots[slot]);
    made += tables[i].made;
    freed += tables[i].freed;
  }
  for (int i = 0; i < kMailboxes; ++i) freed += block_free(atomic_load(&mailboxes[i]));
  if (made != freed) fail("what was freed is not what was made");
  report_sum("server", freed);
  return 0;
}
