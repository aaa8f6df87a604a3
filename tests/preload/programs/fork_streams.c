// A thread forks while another one waits for a stream, as fflush(NULL) does for each, with the C
// library's list of streams locked. The thread that has the stream allocates then, as getline does.
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

static atomic_bool reads;
static atomic_int flusher, forker;  // threads' numbers, once they are about to wait

static void wait_until_waits(const atomic_int* thread) {
  while (atomic_load(thread) == 0 || !waits_for_another(atomic_load(thread))) sleep_ms(1);
}

// What the stream is read from: called with the stream locked.
static ssize_t produce(void* cookie, char* text, size_t size) {
  (void)cookie;
  EXPECT(size > 0);
  atomic_store(&reads, true);
  wait_until_waits(&forker);
  void* block = malloc(MIB);  // more than any thread has for itself
  EXPECT(block != NULL);
  free(block);
  *text = '\n';
  return 1;
}

static void* read_line(void* unused) {
  (void)unused;
  FILE* stream = fopencookie(NULL, "r", (cookie_io_functions_t){.read = produce});
  EXPECT(stream != NULL);
  char* line = NULL;
  size_t room = 0;
  EXPECT_NUMBERS(getline(&line, &room, stream), ==, 1);
  free(line);
  fclose(stream);
  return NULL;
}

static void* flush_all(void* unused) {
  (void)unused;
  atomic_store(&flusher, gettid());
  EXPECT_NUMBERS(fflush(NULL), ==, 0);
  return NULL;
}

static void write_a_little(void) {
  FILE* stream = fopen("/dev/null", "w");
  EXPECT(stream != NULL);
  fputs("something", stream);
  EXPECT_NUMBERS(fflush(NULL), ==, 0);
  fclose(stream);
}

static void fork_once(void) {
  atomic_store(&forker, gettid());
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    watchdog(30);
    write_a_little();
    _exit(0);
  }
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT_NUMBERS(status, ==, 0);
}

int main(void) {
  watchdog(60);
  pthread_t reader, flushes;
  EXPECT_NUMBERS(pthread_create(&reader, NULL, read_line, NULL), ==, 0);
  while (!atomic_load(&reads)) sleep_ms(1);
  EXPECT_NUMBERS(pthread_create(&flushes, NULL, flush_all, NULL), ==, 0);
  wait_until_waits(&flusher);
  fork_once();
  pthread_join(reader, NULL);
  pthread_join(flushes, NULL);
  // What was locked for the fork is free again.
  EXPECT_NUMBERS(pthread_create(&flushes, NULL, flush_all, NULL), ==, 0);
  pthread_join(flushes, NULL);
  write_a_little();
  return ok();
}
