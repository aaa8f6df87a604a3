// vfork and exec, posix_spawn, popen and system, while other threads allocate: the child of vfork
// runs in its parent's memory, and must find and leave it as it is.
//   spawn [--rounds N]
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

extern char** environ;
static atomic_bool stop;

static void* load(void* argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  while (!atomic_load(&stop)) {
    void* some[20];
    size_t sizes[20];
    for (size_t i = 0; i < 20; ++i) {
      sizes[i] = random_size(&random, 14);
      some[i] = malloc(sizes[i]);
      EXPECT(some[i] != NULL);
      fill(some[i], sizes[i], i);
    }
    for (size_t i = 0; i < 20; ++i) {
      check_filled(some[i], sizes[i], sizes[i], i);
      free(some[i]);
    }
  }
  return NULL;
}

static char shell[] = "sh", dash_c[] = "-c", text[] = "exit 7";
static char* shell_command[] = {shell, dash_c, text, NULL};

static void expect_exit(pid_t child, int expected) {
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT(WIFEXITED(status));
  EXPECT_NUMBERS(WEXITSTATUS(status), ==, expected);
}

static void check_vfork(void) {
  const pid_t child = vfork();
  EXPECT(child >= 0);
  if (child == 0) {
    execv("/bin/sh", shell_command);
    _exit(99);
  }
  expect_exit(child, 7);
}

// An exec that fails: the child has to end, and the parent goes on with the same memory.
static void check_failing_vfork(void) {
  const pid_t child = vfork();
  EXPECT(child >= 0);
  if (child == 0) {
    execvp("no-such-program-anywhere", shell_command);  // allocates nothing, but searches the path
    _exit(98);
  }
  expect_exit(child, 98);
}

static void check_posix_spawn(void) {
  pid_t child = -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  EXPECT_NUMBERS(posix_spawn(&child, "/bin/sh", &actions, NULL, shell_command, environ), ==, 0);
  posix_spawn_file_actions_destroy(&actions);
  expect_exit(child, 7);
}

static void check_popen(void) {
  FILE* stream = popen("echo forty-two", "r");
  EXPECT(stream != NULL);
  char* line = NULL;
  size_t capacity = 0;
  EXPECT_NUMBERS(getline(&line, &capacity, stream), ==, 10);
  EXPECT(strcmp(line, "forty-two\n") == 0);
  free(line);
  EXPECT_NUMBERS(pclose(stream), ==, 0);
}

int main(int argc, char** argv) {
  const size_t rounds = option(argc, argv, "--rounds", 30);
  watchdog(100);
  pthread_t threads[2];
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, load, (void*)(uintptr_t)i), ==, 0);
  }
  for (size_t i = 0; i < rounds; ++i) {
    check_vfork();
    check_failing_vfork();
    check_posix_spawn();
    check_popen();
    const int status = system("exit 3");
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }
  atomic_store(&stop, true);
  for (size_t i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return ok();
}
