// Runs until told otherwise, mapping and unmapping a page every few milliseconds and writing a
// "tick" each time; SIGINT makes it say so and exit with status 3. For attaching, interrupting,
// stopping.
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &action, NULL);
  printf("pid: %d\n", getpid());
  fflush(stdout);
  const struct timespec pause_time = {.tv_nsec = 5 * 1000 * 1000};
  while (!interrupted) {
    char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    if (write(STDOUT_FILENO, "tick\n", 5) != 5) return 1;
    nanosleep(&pause_time, NULL);
  }
  printf("interrupted\n");
  return 3;
}
