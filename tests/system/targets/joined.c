/* A program to be recorded from its middle on. It does one thing for ever, as its first argument
   says, and understands two signals:

     SIGUSR1  counts allocations from now on
     SIGUSR2  prints what it counted, "counted: BLOCKS BYTES", and begins anew

   Only blocks of counted_block() are counted, so that a recording can be asked for just those. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kThreads = 8, kLive = 64, kMostBytes = 2000 };

static volatile sig_atomic_t is_counting, is_asked;
static atomic_ulong blocks, bytes;
static atomic_int in_flight;

static void on_count(int signal) {
  (void)signal;
  atomic_store(&blocks, 0);
  atomic_store(&bytes, 0);
  is_counting = 1;
}

static void on_ask(int signal) {
  (void)signal;
  is_counting = 0;
  is_asked = 1;
}

__attribute__((noinline)) static void* counted_block(size_t size) {
  void* const block = malloc(size);
  atomic_fetch_add(&blocks, 1);
  atomic_fetch_add(&bytes, size);
  return block;
}

static void* uncounted_block(size_t size) {
  return malloc(size);
}

static void answer(void) {
  if (!is_asked) return;
  while (atomic_load(&in_flight) != 0) sched_yield();
  is_asked = 0;
  printf("counted: %lu %lu\n", atomic_load(&blocks), atomic_load(&bytes));
  fflush(stdout);
}

/* Allocates and frees at random; what it lays hands on it fills, and checks before it frees. */
static void churn(unsigned seed, int is_main) {
  unsigned char* live[kLive] = {0};
  size_t sizes[kLive] = {0};
  unsigned random = seed * 2654435761U + 1;
  for (;;) {
    random = random * 1664525U + 1013904223U;
    const unsigned i = (random >> 8) % kLive;
    if (live[i] != NULL) {
      if (live[i][0] != (unsigned char)i || live[i][sizes[i] - 1] != (unsigned char)i) abort();
      free(live[i]);
    }
    sizes[i] = 2 + (random >> 16) % kMostBytes;
    atomic_fetch_add(&in_flight, 1);
    live[i] = is_counting ? counted_block(sizes[i]) : uncounted_block(sizes[i]);
    atomic_fetch_sub(&in_flight, 1);
    if (live[i] == NULL) abort();
    memset(live[i], (int)i, sizes[i]);
    if (is_main) answer();
    if (random % 64 == 0) {
      const struct timespec nap = {0, 20000};
      nanosleep(&nap, NULL);
    }
  }
}

static void* churn_thread(void* seed) {
  churn((unsigned)(unsigned long)seed, 0);
  return NULL;
}

static void threads(void) {
  pthread_t thread;
  for (unsigned long i = 1; i < kThreads; ++i)
    pthread_create(&thread, NULL, churn_thread, (void*)i);
  churn(0, 1);
}

/* Two threads that wait for each other in turn: most of the time both do nothing else. */
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void* take_turns(void* is_second) {
  const int me = is_second != NULL;
  for (;;) {
    pthread_mutex_lock(&turn_lock);
    while (turn != me) pthread_cond_wait(&turn_changed, &turn_lock);
    atomic_fetch_add(&in_flight, 1);
    free(is_counting ? counted_block(100) : uncounted_block(100));
    atomic_fetch_sub(&in_flight, 1);
    turn = !me;
    pthread_cond_signal(&turn_changed);
    pthread_mutex_unlock(&turn_lock);
    if (!me) answer();
  }
  return NULL;
}

static void turns(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, take_turns, &turn);
  take_turns(NULL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Waits that must not end early, and not with EINTR: each is told by the seconds it took. */
static void said(const char* call, long result, double began) {
  printf("%s: %ld %s %.3f\n", call, result, result < 0 ? strerror(errno) : "ok", now() - began);
  fflush(stdout);
}

static long receives(struct timespec time) {
  const struct timeval most = {time.tv_sec, time.tv_nsec / 1000};
  int ends[2];
  char byte;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  return recv(ends[0], &byte, 1, 0);
}

/* To a server that takes nobody in for that time, by a socket that has a time of its own. */
static long connects(struct timespec time) {
  const struct timeval most = {2 * time.tv_sec + 60, 0};
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t at_bytes = sizeof at;
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr*)&at, at_bytes) != 0 || listen(server, 0) != 0 ||
      getsockname(server, (struct sockaddr*)&at, &at_bytes) != 0) {
    abort();
  }
  for (int i = 0; i < 3; ++i) {
    connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr*)&at, at_bytes);
  }
  const pid_t child = fork();
  if (child == 0) {
    nanosleep(&time, NULL);
    while (accept(server, NULL, NULL) >= 0) {
    }
  }
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  const long result = connect(client, (struct sockaddr*)&at, at_bytes);
  const int error = errno;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  errno = error;
  return result;
}

static long takes_of_semaphore(struct timespec time) {
  const int set = semget(IPC_PRIVATE, 1, 0600);
  struct sembuf take = {0, -1, 0};
  const long result = semtimedop(set, &take, 1, &time);
  const int error = errno;
  semctl(set, 0, IPC_RMID);
  errno = error;
  return result;
}

static void waits(const char* what, const char* where) {
  const double seconds = atof(where);
  const long ms = (long)(seconds * 1000);
  struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  int ends[2];
  int word = 7;
  if (pipe(ends) != 0) abort();
  struct pollfd poll_one = {.fd = ends[0], .events = POLLIN};
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  printf("waits: %d\n", getpid());
  fflush(stdout);
  const double began = now();
  long result = -2;
  if (strcmp(what, "nanosleep") == 0) result = nanosleep(&time, NULL);
  if (strcmp(what, "poll") == 0) result = poll(&poll_one, 1, (int)ms);
  if (strcmp(what, "epoll_wait") == 0) result = epoll_wait(epoll, &event, 1, (int)ms);
  if (strcmp(what, "recv") == 0) result = receives(time);
  if (strcmp(what, "connect") == 0) result = connects(time);
  if (strcmp(what, "semtimedop") == 0) result = takes_of_semaphore(time);
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += (time_t)seconds;
  if (strcmp(what, "cond") == 0) {
    pthread_mutex_lock(&turn_lock);
    errno = pthread_cond_timedwait(&turn_changed, &turn_lock, &end);
    result = errno == 0 ? 0 : -1;
  }
  if (strcmp(what, "semaphore") == 0) {
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    result = sem_timedwait(&semaphore, &end);
  }
  if (strcmp(what, "futex") == 0) {
    result = syscall(SYS_futex, &word, FUTEX_WAIT, 7, &time, NULL, 0);
  }
  if (strcmp(what, "read") == 0) {
    char text[16] = {0};
    result = read(0, text, sizeof text - 1);
    printf("text: %s\n", text);
  }
  if (strcmp(what, "accept") == 0) {
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
    if (bind(server, (void*)&address, sizeof address) != 0 || listen(server, 1) != 0) abort();
    printf("listens: %d\n", getpid());
    fflush(stdout);
    result = accept(server, NULL, NULL);
    result = result < 0 ? result : 0;
  }
  said(what, result, began);
}

/* Waits for signals, each of which must end a wait. */
static void pauses(const char* how) {
  const int epoll = epoll_create1(0);
  for (unsigned long wakes = 1;; ++wakes) {
    struct epoll_event event;
    const struct timespec long_time = {3600, 0};
    if (strcmp(how, "pause") == 0) pause();
    if (strcmp(how, "poll") == 0) poll(NULL, 0, 3600000);
    if (strcmp(how, "nanosleep") == 0) nanosleep(&long_time, NULL);
    if (strcmp(how, "epoll_wait") == 0) epoll_wait(epoll, &event, 1, -1);
    printf("woken: %lu\n", wakes);
    fflush(stdout);
  }
}

/* Is mostly in vfork, for so many milliseconds each time, which no signal and no tracer interrupts,
   and in between works a little; until it is asked for its count. */
static void vforks(long milliseconds) {
  while (!is_asked) {
    const pid_t child = vfork();
    if (child == 0) {
      const struct timespec nap = {milliseconds / 1000, milliseconds % 1000 * 1000000};
      nanosleep(&nap, NULL);
      _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) abort();
    for (int i = 0; i < 100; ++i) {
      const struct timespec nap = {0, 1000000};
      nanosleep(&nap, NULL);
      free(counted_block(100));
    }
    printf("child: ended\n");
    fflush(stdout);
  }
}

/* Loads a library when it is asked to, and uses it from then on. */
static void loads_later(const char* library) {
  while (!is_counting) pause();
  void* const handle = dlopen(library, RTLD_NOW);
  void* (*const allocate)(size_t) =
      handle != NULL ? (void* (*)(size_t))(unsigned long)dlsym(handle, "library_block") : NULL;
  if (allocate == NULL) abort();
  printf("loaded: %d\n", getpid());
  fflush(stdout);
  for (;;) {
    const struct timespec nap = {0, 1000000};
    nanosleep(&nap, NULL);
    free(allocate(100));
  }
}

int main(int count, char** words) {
  const char* const what = count > 1 ? words[1] : "loop";
  struct sigaction action = {.sa_handler = on_count, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = on_ask;
  sigaction(SIGUSR2, &action, NULL);
  alarm(1200); /* should the test die, this does too */
  void* const before = malloc(50);
  if (strcmp(what, "loop") == 0 || strcmp(what, "threads") == 0 || strcmp(what, "turns") == 0) {
    printf("runs: %d\n", getpid());
    fflush(stdout);
    if (strcmp(what, "turns") == 0) turns();
    if (strcmp(what, "threads") == 0) threads();
    churn(0, 1);
  } else if (strcmp(what, "load") == 0 && count > 2) {
    printf("runs: %d\n", getpid());
    fflush(stdout);
    loads_later(words[2]);
  } else if (strcmp(what, "vforks") == 0) {
    printf("runs: %d\n", getpid());
    fflush(stdout);
    vforks(count > 2 ? atol(words[2]) : 400);
  } else if (strcmp(what, "pauses") == 0 && count > 2) {
    printf("runs: %d\n", getpid());
    fflush(stdout);
    pauses(words[2]);
  } else {
    waits(what, count > 2 ? words[2] : "1");
    void* const after = malloc(60);
    free(after);
  }
  free(before);
  return 0;
}
