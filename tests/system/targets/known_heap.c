// Makes a heap of which it knows every block, says so, and stands still until its input ends: live
// blocks, blocks that were freed, blocks of threads that go on and of one that has ended, mmapped
// ones, and what malloc's own statistics say of it all. Nothing is allocated while it speaks.
//
// With "abort" it kills itself then, for a core. With "size" it has overwritten the size of one
// block before, with "link" a link of its thread cache. With "main ends" another thread waits in
// its main one's stead. With "no break" the break cannot be moved.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_BLOCKS = 40000, THREADS = 3, BLOCKS_OF_THREAD = 2000 };

struct block {
  void* address;
  size_t size;
  int freed;
};
static struct block blocks[MOST_BLOCKS];
static int block_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ready_count;

static int take(size_t size) {
  void* address = malloc(size);
  memset(address, 0x11, size);
  pthread_mutex_lock(&lock);
  const int number = block_count++;
  blocks[number] = (struct block){address, size, 0};
  pthread_mutex_unlock(&lock);
  return number;
}

static void give(int number) {
  blocks[number].freed = 1;
  free(blocks[number].address);
}

static void* work(void* argument) {
  const uintptr_t which = (uintptr_t)argument;
  static int numbers[THREADS][BLOCKS_OF_THREAD];
  for (int i = 0; i < BLOCKS_OF_THREAD; ++i) {
    numbers[which][i] = take(24 + (size_t)(i * 37 % 1500));
  }
  for (int i = 0; i < BLOCKS_OF_THREAD; i += 3) give(numbers[which][i]);
  if (which == 0) return NULL;  // its arena stays
  pthread_mutex_lock(&lock);
  ++ready_count;
  pthread_mutex_unlock(&lock);
  for (;;) pause();
}

static void start_threads(void) {
  for (uintptr_t i = 0; i < THREADS; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, (void*)i);
    if (i == 0) pthread_join(thread, NULL);
  }
  for (int ready = 0; ready < THREADS - 1;) {
    usleep(1000);
    pthread_mutex_lock(&lock);
    ready = ready_count;
    pthread_mutex_unlock(&lock);
  }
}

static void fill_main_arena(void) {
  for (int i = 0; i < 20000; ++i) take(8 + (size_t)(i * 7919 % 2000));
  const int end = block_count;
  for (int i = end - 20000; i < end; i += 4) give(i);
  for (int i = end - 19999; i < end; i += 8) give(i);
  for (int i = 0; i < 6; ++i) take(200000 + (size_t)i * 30000);
}

static void keep_break_from_moving(void) {
  free(malloc(1));
  mmap(sbrk(0), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
       0);
}

static void* next_to(void* address, long words) {
  return (char*)address + words * 8;
}

static void damage(const char* how) {
  const uint64_t wrong = UINT64_C(0x4141414141414141);
  if (strcmp(how, "size") == 0) {
    void* volatile victim = blocks[take(1000)].address;
    take(1000);
    memcpy(next_to(victim, -1), &wrong, sizeof wrong);
    printf("damaged: %p\n", next_to(victim, -1));
  } else if (strcmp(how, "link") == 0) {
    const int a = take(1032);
    const int b = take(1032);
    give(a);
    give(b);
    void* volatile victim = blocks[b].address;
    memcpy(victim, &wrong, sizeof wrong);
    printf("damaged: %p\n", victim);
  }
}

static void* wait_for_end_of_input(void* unused) {
  (void)unused;
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}

int main(int argc, char** argv) {
  static char buffer[1 << 22];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "no break") == 0) keep_break_from_moving();
  start_threads();
  fill_main_arena();
  damage(how);
  const struct mallinfo2 info = mallinfo2();
  if (strcmp(how, "size") != 0) malloc_info(0, stdout);
  printf("arena: %zu\nordblks: %zu\nsmblks: %zu\nhblks: %zu\nhblkhd: %zu\n", info.arena,
         info.ordblks, info.smblks, info.hblks, info.hblkhd);
  printf("fsmblks: %zu\nuordblks: %zu\nfordblks: %zu\nkeepcost: %zu\n", info.fsmblks, info.uordblks,
         info.fordblks, info.keepcost);
  for (int i = 0; i < block_count; ++i) {
    printf("%s %p %zu\n", blocks[i].freed ? "free" : "live", blocks[i].address, blocks[i].size);
  }
  printf("ready\n");
  fflush(stdout);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "main ends") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_end_of_input, NULL);
    pthread_exit(NULL);
  }
  wait_for_end_of_input(NULL);
}
