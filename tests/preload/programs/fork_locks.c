// Handlers that hold a lock through a fork, under which other threads allocate: as most libraries'
// do. They were registered before any library's constructor ran, the allocator's among them.
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool locked;
static atomic_bool goes;

// A lock of the allocator's that was held by now would be waited for.
static void before_fork(void) {
  atomic_store(&goes, true);
  pthread_mutex_lock(&lock);
}
static void after_fork(void) {
  pthread_mutex_unlock(&lock);
}

static void register_early(void) {
  pthread_atfork(before_fork, after_fork, after_fork);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = register_early;

static void* allocate_under_lock(void* unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  atomic_store(&locked, true);
  while (!atomic_load(&goes)) sleep_ms(1);
  for (size_t size = 16; size <= 4 * MIB; size *= 2) {
    void* block = malloc(size);
    EXPECT(block != NULL);
    free(block);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

int main(void) {
  watchdog(30);
  pthread_t thread;
  EXPECT_NUMBERS(pthread_create(&thread, NULL, allocate_under_lock, NULL), ==, 0);
  while (!atomic_load(&locked)) sleep_ms(1);
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    watchdog(30);
    free(malloc(100));
    _exit(0);
  }
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT_NUMBERS(status, ==, 0);
  pthread_join(thread, NULL);
  return ok();
}
