// Memory goes back to the system: what the program holds no more may stay resident to a tenth of
// the peak, and 1 MiB.
//   give_back small|medium|large|mixed idle|ticks|trim|half|scattered|shuffled [--megabytes N]
// idle: within a second in which the program does nothing; ticks: in which it allocates a little
// now and then; trim: at once, by malloc_trim(0); half: as idle, but only the younger half is
// freed, in the reverse order of its making; scattered: as idle, but one block in ten stays, chosen
// at random, and so may four fifths of the peak; shuffled: as idle, but freed in an order of
// chance, where another thread has allocated too, and 16 MiB more may stay in short runs of pages.
// The last two take a kernel that a process can tell of many ranges at once.
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"

static size_t size_for(const char* kind, uint64_t* random) {
  if (strcmp(kind, "mixed") == 0) {
    const size_t draw = random_below(random, 100);
    kind = draw < 90 ? "small" : draw < 99 ? "medium" : "large";
  }
  if (strcmp(kind, "small") == 0) return 16 + random_below(random, 497);
  if (strcmp(kind, "medium") == 0) return 2 * KIB + random_below(random, 58 * KIB);
  return 200 * KIB + random_below(random, 3800 * KIB);
}

static void tick(void) {
  void* blocks[8];
  for (size_t i = 0; i < 8; ++i) blocks[i] = malloc((size_t)64 << i);
  for (size_t i = 0; i < 8; ++i) free(blocks[i]);
}

static void pass_time(const char* how) {
  if (strcmp(how, "trim") == 0) {
    malloc_trim(0);
  } else {
    for (unsigned i = 0; i < 100; ++i) {
      if (strcmp(how, "ticks") == 0) tick();
      sleep_ms(10);
    }
  }
}

static bool kernel_takes_many_ranges(void) {
  const int self = -10001;  // PIDFD_SELF_THREAD_GROUP, Linux 6.14
  const long process_madvise = 440;
  struct iovec none = {NULL, 0};
  return syscall(process_madvise, self, &none, 1, MADV_DONTNEED, 0) == 0;
}

static void shuffle(void** blocks, size_t count) {
  uint64_t random = 3;
  for (size_t i = count; i > 1; --i) {
    const size_t other = random_below(&random, i);
    void* const block = blocks[i - 1];
    blocks[i - 1] = blocks[other];
    blocks[other] = block;
  }
}

static void* be_another_thread(void* begun) {
  tick();
  pthread_barrier_wait(begun);
  pause();
  return NULL;
}

static void begin_another_thread(void) {
  static pthread_barrier_t begun;
  pthread_t other;
  EXPECT(pthread_barrier_init(&begun, NULL, 2) == 0);
  EXPECT(pthread_create(&other, NULL, be_another_thread, &begun) == 0);
  pthread_barrier_wait(&begun);
}

int main(int argc, char** argv) {
  EXPECT(argc >= 3);
  const char *kind = argv[1], *how = argv[2];
  const size_t goal = option(argc, argv, "--megabytes", 200) * MIB;
  // The list of blocks is not malloc's, and is resident from the start.
  const size_t most = goal / 100;
  void** blocks = mmap(NULL, most * sizeof *blocks, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  EXPECT(blocks != MAP_FAILED);
  const bool shuffled = strcmp(how, "shuffled") == 0;
  if (shuffled) begin_another_thread();
  tick();
  const size_t start = rss_bytes();

  size_t count = 0, live = 0;
  for (uint64_t random = 1; live < goal && count < most; ++count) {
    const size_t size = size_for(kind, &random);
    blocks[count] = malloc(size);
    EXPECT(blocks[count] != NULL);
    memset(blocks[count], 1, size);
    live += malloc_usable_size(blocks[count]);
  }
  const size_t peak = rss_bytes();
  EXPECT_NUMBERS(peak, >, start + goal / 10 * 9);

  const bool half = strcmp(how, "half") == 0;
  const bool scattered = strcmp(how, "scattered") == 0;
  if ((scattered || shuffled) && !kernel_takes_many_ranges())
    skip("the kernel does not take many ranges at once");
  if (shuffled) shuffle(blocks, count);
  uint64_t random = 2;
  for (size_t i = count; i-- > 0 && (!half || live > goal / 2);) {
    if (scattered && random_below(&random, 10) == 0) continue;
    // In reverse for a half; else the oldest first.
    void* block = half ? blocks[i] : blocks[count - 1 - i];
    live -= malloc_usable_size(block);
    free(block);
  }
  pass_time(how);
  const size_t now = rss_bytes();
  const size_t held = peak - start;
  const size_t allowed = half        ? live + live / 10
                         : scattered ? held / 5 * 4
                                     : held / 10 + (shuffled ? 16 * MIB : 0);
  EXPECT_SAYING(now <= start + allowed + MIB,
                "resident: %zu KiB at the start, %zu at the peak, %zu now with %zu live",
                start / KIB, peak / KIB, now / KIB, live / KIB);
  return ok();
}
