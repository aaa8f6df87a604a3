/* Ends in the way that its argument says, with blocks of all kinds in use; first says, on standard
 * output, what the kernel has mapped for the allocator. */
#include <fcntl.h>
#include <minimalloc/layout.h>
#include <minimalloc/minimalloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long mapped_bytes(void) {
  const uint64_t end = *(const uint64_t*)minimalloc_layout.heap_begin +
                       *(const uint64_t*)minimalloc_layout.heap_bytes;
  const uint64_t begin = *(const uint64_t*)minimalloc_layout.extents - (UINT64_C(4) << 30);
  static char text[1 << 16];
  const int fd = open("/proc/self/maps", O_RDONLY);
  size_t size = 0;
  for (ssize_t count;
       size < sizeof text - 1 && (count = read(fd, text + size, sizeof text - 1 - size)) > 0;) {
    size += (size_t)count;
  }
  close(fd);
  unsigned long long sum = 0, from, to;
  for (char* line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
    while (*line == '\n') ++line;
    if (sscanf(line, "%llx-%llx", &from, &to) == 2 && from >= begin && to <= end) sum += to - from;
  }
  return sum;
}

static void print_waiting(void) {
  sigset_t waiting;
  sigpending(&waiting);
  printf("%d %d\n", sigismember(&waiting, SIGPIPE), sigismember(&waiting, SIGXFSZ));
}

/* Says which signals of a failed write wait after a message, without and with one before it. */
static void signals(void) {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGPIPE);
  sigaddset(&both, SIGXFSZ);
  sigprocmask(SIG_BLOCK, &both, NULL);
  minimalloc_stats_print();
  print_waiting();
  raise(SIGPIPE);
  minimalloc_stats_print();
  print_waiting();
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "return";
  static void* blocks[1000];
  for (size_t i = 0; i < 1000; ++i) blocks[i] = malloc(i * 97 % 200000);
  for (size_t i = 0; i < 1000; i += 3) free(blocks[i]);
  minimalloc_heap* heap = minimalloc_heap_create("the second \x1b heap");
  for (size_t i = 0; i < 100; ++i) minimalloc_heap_malloc(heap, i * 10);
  printf("%llu\n", mapped_bytes());
  fflush(stdout);
  if (strcmp(how, "secure") == 0) {
    printf("secure %lu\n", getauxval(AT_SECURE));
  } else if (strcmp(how, "fork") == 0) {
    if (fork() == 0) exit(0);
    wait(NULL);
  } else if (strcmp(how, "close") == 0) {
    close(STDERR_FILENO);
  } else if (strcmp(how, "replace") == 0) {
    /* Everything is closed, and another file is where the report would go. */
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    for (int fd = 3; fd < 1024; ++fd) dup2(STDOUT_FILENO, fd);
  } else if (strcmp(how, "reuse") == 0) {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    dup2(STDOUT_FILENO, STDERR_FILENO);
  } else if (strcmp(how, "ask") == 0) {
    minimalloc_option_set("STATS", "1");
  } else if (strcmp(how, "ask_reuse") == 0) {
    minimalloc_option_set("STATS", "1");
    dup2(STDOUT_FILENO, STDERR_FILENO);
  } else if (strcmp(how, "cancel") == 0) {
    pthread_cancel(pthread_self());
    exit(0);
  } else if (strcmp(how, "signals") == 0) {
    signals();
  } else if (strcmp(how, "_exit") == 0) {
    _exit(0);
  }
  return 0;
}
