// Runs a program whose system calls fail as asked.
//   inject --calls NAME[,NAME]... [--advice N] [--errno N] HOW [--preload LIBRARY] -- PROGRAM
//   [ARGUMENT]...
// HOW is one of
//   --always     each of the calls, from the program's very start (a seccomp filter alone)
//   --from K     the K-th of them after inject_begin(), and every one after it
//   --every N    each N-th of them after inject_begin()
// For the last two this process answers the filter's questions (seccomp_unotify(2)).
#include "inject.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "probe.h"

static const struct {
  const char* name;
  unsigned number;
} kCalls[] = {{"mmap", SYS_mmap},
              {"munmap", SYS_munmap},
              {"madvise", SYS_madvise},
              {"mprotect", SYS_mprotect},
              {"mremap", SYS_mremap},
              {"mincore", SYS_mincore},
              {"brk", SYS_brk},
              {"prctl", SYS_prctl},
              {"getrandom", SYS_getrandom},
              {"membarrier", SYS_membarrier},
              {"sched_getaffinity", SYS_sched_getaffinity},
              {"getcpu", SYS_getcpu},
              {"sysinfo", SYS_sysinfo}};

typedef struct {
  unsigned calls[32];
  size_t call_count;
  long advice;  // of madvise, the only one that fails; -1: all
  int error;
  bool always;
  size_t from, every;
  const char* preload;
} Request;

static struct sock_filter program[128];
static unsigned short program_length;

static void emit(unsigned short code, unsigned value, unsigned char if_true,
                 unsigned char if_false) {
  program[program_length++] = (struct sock_filter){code, if_true, if_false, value};
}
static void emit_return_if(unsigned value, unsigned action) {
  emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  emit(BPF_RET | BPF_K, action, 0, 0);
}

static void build_program(const Request* request) {
  const unsigned action =
      request->always ? SECCOMP_RET_ERRNO | (unsigned)request->error : SECCOMP_RET_USER_NOTIF;
  emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
  bool all_advice = false, some_advice = false;
  for (size_t i = 0; i < request->call_count; ++i) {
    if (request->calls[i] != SYS_madvise) {
      emit_return_if(request->calls[i], action);
    } else {
      all_advice = request->advice < 0;
      some_advice = !all_advice;
    }
  }
  emit(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0);
  emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]), 0, 0);
  if (!request->always) emit_return_if(INJECT_BEGIN_ADVICE, action);
  if (some_advice) emit_return_if((unsigned)request->advice, action);
  emit(BPF_RET | BPF_K, all_advice ? action : SECCOMP_RET_ALLOW, 0, 0);
}

// Returns the descriptor that questions come by; -1 where none was asked for.
static int install(const Request* request) {
  build_program(request);
  const struct sock_fprog filter = {program_length, program};
  EXPECT_NUMBERS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  const unsigned flags = request->always ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
  if (result < 0) skip("this kernel lets no seccomp filter be installed");
  return request->always ? -1 : (int)result;
}

static void run_program(const Request* request, char** argv) {
  if (request->preload != NULL) setenv("LD_PRELOAD", request->preload, 1);
  execv(argv[0], argv);
  FAIL("cannot run %s: %s", argv[0], strerror(errno));
}

static void pass_descriptor(int channel, int* descriptor, bool send) {
  char byte = 0;
  struct iovec data = {&byte, 1};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (!send) {
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) _exit(EXIT_SKIPPED);  // it said why
    memcpy(descriptor, CMSG_DATA(&control.header), sizeof *descriptor);
    return;
  }
  control.header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), descriptor, sizeof *descriptor);
  EXPECT_NUMBERS(sendmsg(channel, &message, 0), ==, 1);
}

static bool is_begin(const struct seccomp_data* call) {
  return call->nr == SYS_madvise && (unsigned)call->args[2] == INJECT_BEGIN_ADVICE;
}

static void answer(const Request* request, int listener) {
  static bool begun;
  static size_t count;
  struct seccomp_notif question;
  memset(&question, 0, sizeof question);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) return;  // its thread is gone
  struct seccomp_notif_resp reply = {.id = question.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  // brk(0) is a question that the kernel never refuses.
  const bool never_fails = question.data.nr == SYS_brk && question.data.args[0] == 0;
  if (is_begin(&question.data)) {
    begun = true;
  } else if (begun && !never_fails) {
    ++count;
    const bool fails = request->every > 0 ? count % request->every == 0 : count >= request->from;
    if (fails) {
      reply.flags = 0;
      // A brk that fails returns the break as it is; 0 is as good for "below what you asked for".
      reply.error = question.data.nr == SYS_brk ? 0 : -request->error;
    }
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

static int supervise(const Request* request, int listener, pid_t child) {
  for (;;) {
    struct pollfd ready = {listener, POLLIN, 0};
    if (poll(&ready, 1, 50) > 0 && (ready.revents & POLLIN) != 0) answer(request, listener);
    int status = 0;
    if (waitpid(child, &status, WNOHANG) != child) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    FAIL("the program died by signal %d", WTERMSIG(status));
  }
}

static int parse(int argc, char** argv, Request* request) {
  *request = (Request){.advice = (long)option(argc, argv, "--advice", (size_t)-1),
                       .error = (int)option(argc, argv, "--errno", ENOMEM),
                       .from = option(argc, argv, "--from", 0),
                       .every = option(argc, argv, "--every", 0)};
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--") == 0) return i + 1;
    if (strcmp(argv[i], "--always") == 0) request->always = true;
    if (strcmp(argv[i], "--preload") == 0) request->preload = argv[i + 1];
    if (strcmp(argv[i], "--calls") != 0) continue;
    for (char* name = strtok(argv[i + 1], ","); name != NULL; name = strtok(NULL, ",")) {
      size_t at = 0;
      const size_t known = sizeof kCalls / sizeof kCalls[0];
      while (at < known && strcmp(kCalls[at].name, name) != 0) ++at;
      EXPECT_SAYING(at < known, "no call named %s", name);
      request->calls[request->call_count++] = kCalls[at].number;
    }
  }
  FAIL("no program after --");
}

int main(int argc, char** argv) {
  Request request;
  char** program_argv = argv + parse(argc, argv, &request);
  if (request.always) {
    install(&request);
    run_program(&request, program_argv);
  }
  int channel[2];
  EXPECT_NUMBERS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), ==, 0);
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int listener = install(&request);
    pass_descriptor(channel[1], &listener, true);
    close(listener);
    run_program(&request, program_argv);
  }
  close(channel[1]);
  int listener = -1;
  pass_descriptor(channel[0], &listener, false);
  return supervise(&request, listener, child);
}
