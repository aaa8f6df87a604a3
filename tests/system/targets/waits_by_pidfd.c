/* Waits for children by pidfd_open. Once that says that one has ended, its status has to be there,
   without waiting: a program need not ask twice. They end in each way there is. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kEachWay = 60, kWays = 5 };

static pthread_t main_thread;

static void* wait_for_the_end(void* unused) {
  while (pause() == -1) continue;
  return unused;
}

static void* end_after_main(void* unused) {
  pthread_join(main_thread, NULL);
  _exit(4);
  return unused;
}

static void end(int way) {
  pthread_t other;
  main_thread = pthread_self();
  switch (way) {
    case 0:
      _exit(1);
    case 1:
      raise(SIGKILL);
      break;
    case 2:  // with all its threads
      for (int i = 0; i < 3; ++i) {
        if (pthread_create(&other, NULL, wait_for_the_end, NULL) != 0) _exit(99);
      }
      _exit(3);
    case 3:  // the main thread first
      if (pthread_create(&other, NULL, end_after_main, NULL) != 0) _exit(99);
      pthread_exit(NULL);
    default:  // as another program
      execl("/bin/sh", "sh", "-c", "exit 5", (char*)NULL);
  }
  _exit(99);
}

int main(void) {
  int sum = 0;
  int missing = 0;
  for (int i = 0; i < kEachWay * kWays; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) end(i % kWays);
    struct pollfd ended = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
    if (ended.fd < 0) return 2;
    while (poll(&ended, 1, -1) != 1) continue;
    close(ended.fd);
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == 0) {
      ++missing;
      waitpid(pid, &status, 0);
    }
    sum += WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  }
  printf("sum of statuses: %d, asked for too early: %d\n", sum, missing);
  return missing == 0 ? 0 : 3;
}
