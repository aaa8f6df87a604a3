// A thread forks while another one registers so many fork handlers that the C library's list of
// them grows: it allocates with that list locked, and the fork goes through the list.
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

enum { kHandlers = 2000 };
static atomic_int registrar;  // the thread's number
static atomic_bool goes, done;
static bool at_prepare, at_parent;  // where the forking thread lets it go

static void* register_many(void* unused) {
  (void)unused;
  atomic_store(&registrar, gettid());
  while (!atomic_load(&goes)) sleep_ms(1);
  for (size_t i = 0; i < kHandlers; ++i) EXPECT_NUMBERS(pthread_atfork(NULL, NULL, NULL), ==, 0);
  atomic_store(&done, true);
  return NULL;
}

// Until it has done all, or waits for the end of the fork.
static void let_register(void) {
  atomic_store(&goes, true);
  while (!atomic_load(&done) && !waits_for_another(atomic_load(&registrar))) sleep_ms(1);
}

static void before_fork(void) {
  if (at_prepare) let_register();
}
static void in_parent(void) {
  if (at_parent) let_register();
}

// Ahead of every constructor, and past an allocator that has its own handlers come first: it is
// ready for the fork while these run.
static void register_early(void) {
  void* c_library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  EXPECT(c_library != NULL);
  int (*register_handlers)(void (*)(void), void (*)(void), void (*)(void), void*) = NULL;
  *(void**)&register_handlers = dlsym(c_library, "__register_atfork");
  EXPECT(register_handlers != NULL);
  EXPECT_NUMBERS(register_handlers(before_fork, in_parent, NULL, NULL), ==, 0);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = register_early;

static void fork_while_one_registers(void) {
  atomic_store(&registrar, 0);
  atomic_store(&goes, false);
  atomic_store(&done, false);
  pthread_t thread;
  EXPECT_NUMBERS(pthread_create(&thread, NULL, register_many, NULL), ==, 0);
  while (atomic_load(&registrar) == 0) sleep_ms(1);
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    watchdog(30);
    for (size_t i = 0; i < kHandlers; ++i) EXPECT_NUMBERS(pthread_atfork(NULL, NULL, NULL), ==, 0);
    _exit(0);
  }
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT_NUMBERS(status, ==, 0);
  pthread_join(thread, NULL);
}

int main(void) {
  watchdog(60);
  at_prepare = true;
  fork_while_one_registers();
  at_prepare = false;
  at_parent = true;
  fork_while_one_registers();
  return ok();
}
