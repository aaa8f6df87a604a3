// Goes into a sandbox as browsers have it: a handler of SIGSYS answers for the kernel, here that
// nothing more may be opened and that no memory may be wiped on fork. "thread": a thread that
// begins there allocates. "waits": it allocates until it is ended. "killed": it allocates much in
// one that ends it for opening a file.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof *(array))

static void refuse(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  mcontext_t* const registers = &((ucontext_t*)context)->uc_mcontext;
#if defined(__x86_64__)
  registers->gregs[REG_RAX] = -EACCES;
#else
  registers->regs[0] = (unsigned long long)-EACCES;
#endif
}

static int enter_sandbox(unsigned on_open, unsigned on_wipe) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, on_open),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, on_wipe),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = {ARRAY_SIZE(program), program};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = refuse;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void* in_thread(void* unused) {
  for (int i = 0; i < 1000; ++i) free(malloc(200));
  return unused;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "killed") == 0) {
    if (!enter_sandbox(SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW)) return 1;
    for (int i = 0; i < 100000; ++i) free(malloc(1000));
    return 0;
  }
  if (!enter_sandbox(SECCOMP_RET_TRAP, SECCOMP_RET_TRAP)) return 1;
  if (argc > 1 && strcmp(argv[1], "waits") == 0) {
    printf("waits: %d\n", getpid());
    fflush(stdout);
    while (1) {
      free(malloc(100));
      usleep(1000);
    }
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, in_thread, NULL) != 0) return 2;
  pthread_join(thread, NULL);
  puts("done");
  return 0;
}
