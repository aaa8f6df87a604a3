// Signal handlers that allocate where POSIX lets them: when what they interrupt is no allocation.
// On an alternate stack, from a fault, by a timer, while other threads allocate.
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "probe.h"

static atomic_bool stop;
static atomic_uint handled;
static void* kept[64];
static unsigned char* guarded;

static void allocate_and_free(void) {
  static uint64_t random = 9;
  for (unsigned i = 0; i < 10; ++i) {
    const size_t at = random_below(&random, 64);
    free(kept[at]);
    const size_t size = 1 + random_size(&random, 13);
    kept[at] = malloc(size);
    EXPECT(kept[at] != NULL);
    fill(kept[at], size, at);
    check_filled(kept[at], size, size, at);
  }
  atomic_fetch_add(&handled, 1);
}

static void on_timer(int number) {
  (void)number;
  allocate_and_free();
}

static void on_fault(int number) {
  (void)number;
  allocate_and_free();
  EXPECT_NUMBERS(mprotect(guarded, 4096, PROT_READ | PROT_WRITE), ==, 0);
}

static void* load(void* argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  while (!atomic_load(&stop)) {
    void* some[20];
    for (size_t i = 0; i < 20; ++i) some[i] = malloc(random_size(&random, 13));
    for (size_t i = 0; i < 20; ++i) free(some[i]);
    sched_yield();
  }
  return NULL;
}

static void set_handler(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGALRM);
  EXPECT_NUMBERS(sigaction(number, &action, NULL), ==, 0);
}

// The timer's signal is open only while this thread allocates nothing.
static void check_timer(const sigset_t* timer) {
  const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  EXPECT_NUMBERS(setitimer(ITIMER_VIRTUAL, &often, NULL), ==, 0);
  volatile unsigned work = 0;
  while (atomic_load(&handled) < 200) {
    void* block = malloc(100 + work % 1000);
    EXPECT(block != NULL);
    pthread_sigmask(SIG_UNBLOCK, timer, NULL);
    for (unsigned i = 0; i < 20000; ++i) work = work * 5 + i;
    pthread_sigmask(SIG_BLOCK, timer, NULL);
    free(block);
  }
  EXPECT_NUMBERS(setitimer(ITIMER_VIRTUAL, &never, NULL), ==, 0);
}

int main(void) {
  watchdog(60);
  const stack_t stack = {.ss_sp = malloc(64 * KIB), .ss_size = 64 * KIB};
  EXPECT_NUMBERS(sigaltstack(&stack, NULL), ==, 0);
  set_handler(SIGVTALRM, on_timer);
  set_handler(SIGSEGV, on_fault);
  set_handler(SIGUSR1, on_timer);
  sigset_t timer;
  sigemptyset(&timer);
  sigaddset(&timer, SIGVTALRM);
  pthread_sigmask(SIG_BLOCK, &timer, NULL);  // the other threads inherit it

  pthread_t threads[2];
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, load, (void*)(uintptr_t)i), ==, 0);
  }
  guarded = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(guarded != MAP_FAILED);
  for (unsigned i = 0; i < 200; ++i) {
    raise(SIGUSR1);
    mprotect(guarded, 4096, PROT_NONE);
    *(volatile unsigned char*)guarded = 1;
  }
  atomic_store(&handled, 0);
  check_timer(&timer);
  atomic_store(&stop, true);
  for (size_t i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return ok();
}
