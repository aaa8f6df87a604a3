// By PTRACE_GETREGS and PTRACE_GETREGSET.
#include "kernel/thread_context.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "kernel/process_memory.h"

namespace mini::kernel {

#if defined(__x86_64__)

namespace {

// What a system call that was interrupted leaves in its result for the kernel itself:
// include/linux/errno.h.
enum : std::int64_t {
  kRestartSystem = -512,
  kRestartNoInterrupt = -513,
  kRestartNoHandler = -514,
  kRestartBlock = -516,
};

constexpr std::uint64_t kSyscallBytes = 2;  // of the instruction

// These may say EINTR after any interruption, also one without a signal: signal(7). Those of a
// socket do where it has a timeout (sock_intr_errno() of net/sock.h), read of an inotify. Each has
// done nothing where it says so: it returns how much it did otherwise. A connect goes on by itself,
// and a second one waits for that as the first did, and says how it ended: only that its time is
// over it calls EALREADY instead of EINPROGRESS (__inet_stream_connect() of net/ipv4/af_inet.c).
constexpr std::array kInterruptible =
    std::to_array<std::uint64_t>({SYS_epoll_wait,      SYS_epoll_pwait,  441 /* epoll_pwait2 */,
                                  SYS_rt_sigtimedwait, SYS_io_getevents, 426 /* io_uring_enter */,
                                  SYS_semop,           SYS_semtimedop,   SYS_read,
                                  SYS_readv,           SYS_recvfrom,     SYS_recvmsg,
                                  SYS_recvmmsg,        SYS_accept,       SYS_accept4,
                                  SYS_write,           SYS_writev,       SYS_sendto,
                                  SYS_sendmsg,         SYS_sendmmsg,     SYS_connect});

// include/uapi/linux/rseq.h and ptrace.h (Linux 5.13).
constexpr int kGetRseqConfiguration = 0x420f;
struct RseqConfiguration {
  std::uint64_t area;
  std::uint32_t bytes, signature, flags, padding;
};
constexpr std::uint64_t kRseqSequenceOffset = 8;  // rseq_cs

bool says_eintr_to_nobody(const ThreadContext& stopped) {
  return static_cast<std::int64_t>(stopped.rax) == -EINTR &&
         std::ranges::find(kInterruptible, stopped.system_call) != kInterruptible.end();
}

}  // namespace

std::optional<ThreadContext> read_context(pid_t tid) {
  user_regs_struct r{};
  if (::ptrace(PTRACE_GETREGS, tid, nullptr, &r) != 0) return std::nullopt;
  return ThreadContext{.r15 = r.r15,
                       .r14 = r.r14,
                       .r13 = r.r13,
                       .r12 = r.r12,
                       .rbp = r.rbp,
                       .rbx = r.rbx,
                       .r11 = r.r11,
                       .r10 = r.r10,
                       .r9 = r.r9,
                       .r8 = r.r8,
                       .rax = r.rax,
                       .rcx = r.rcx,
                       .rdx = r.rdx,
                       .rsi = r.rsi,
                       .rdi = r.rdi,
                       .rsp = r.rsp,
                       .flags = r.eflags,
                       .rip = r.rip,
                       .system_call = r.orig_rax,
                       .code_segment = r.cs,
                       .stack_segment = r.ss,
                       .fs_base = r.fs_base,
                       .gs_base = r.gs_base,
                       .ds = r.ds,
                       .es = r.es,
                       .fs = r.fs,
                       .gs = r.gs};
}

bool write_context(pid_t tid, const ThreadContext& c) {
  user_regs_struct r{};
  r.r15 = c.r15;
  r.r14 = c.r14;
  r.r13 = c.r13;
  r.r12 = c.r12;
  r.rbp = c.rbp;
  r.rbx = c.rbx;
  r.r11 = c.r11;
  r.r10 = c.r10;
  r.r9 = c.r9;
  r.r8 = c.r8;
  r.rax = c.rax;
  r.rcx = c.rcx;
  r.rdx = c.rdx;
  r.rsi = c.rsi;
  r.rdi = c.rdi;
  r.rsp = c.rsp;
  r.eflags = c.flags;
  r.rip = c.rip;
  r.orig_rax = c.system_call;
  r.cs = c.code_segment;
  r.ss = c.stack_segment;
  r.fs_base = c.fs_base;
  r.gs_base = c.gs_base;
  r.ds = c.ds;
  r.es = c.es;
  r.fs = c.fs;
  r.gs = c.gs;
  return ::ptrace(PTRACE_SETREGS, tid, nullptr, &r) == 0;
}

std::vector<std::byte> read_extended_state(pid_t tid) {
  constexpr std::size_t kMostBytes = 16384;
  std::vector<std::byte> state(kMostBytes);
  iovec whole{state.data(), state.size()};
  if (::ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &whole) != 0) return {};
  state.resize(whole.iov_len);
  return state;
}

ThreadContext resume_point(const ThreadContext& stopped, bool no_signal_waits) {
  ThreadContext at = stopped;
  at.system_call = kNoSystemCall;
  if (stopped.system_call == kNoSystemCall) return at;
  switch (static_cast<std::int64_t>(stopped.rax)) {
    case kRestartSystem:
    case kRestartNoInterrupt:
    case kRestartNoHandler:
      at.rax = stopped.system_call;
      break;
    case kRestartBlock:  // with what is left of its time
      at.rax = SYS_restart_syscall;
      break;
    case -EINTR:
      if (!no_signal_waits || !says_eintr_to_nobody(stopped)) return at;
      at.rax = stopped.system_call;
      break;
    default:
      return at;
  }
  at.rip -= kSyscallBytes;
  return at;
}

ThreadContext undisturbed(const ThreadContext& stopped) {
  ThreadContext at = stopped;
  if (says_eintr_to_nobody(stopped)) at.rax = static_cast<std::uint64_t>(kRestartNoHandler);
  return at;
}

bool is_in_restartable_sequence(pid_t tid) {
  RseqConfiguration configuration{};
  const auto request = static_cast<__ptrace_request>(kGetRseqConfiguration);
  if (::ptrace(request, tid, sizeof configuration, &configuration) <= 0) return false;
  if (configuration.area == 0) return false;
  const ProcessMemory memory(tid);
  return memory.read_object<std::uint64_t>(Address{configuration.area + kRseqSequenceOffset})
             .value_or(0) != 0;
}

#else

std::optional<ThreadContext> read_context(pid_t) {
  return std::nullopt;
}
bool write_context(pid_t, const ThreadContext&) {
  return false;
}
std::vector<std::byte> read_extended_state(pid_t) {
  return {};
}
ThreadContext resume_point(const ThreadContext& stopped, bool) {
  return stopped;
}
ThreadContext undisturbed(const ThreadContext& stopped) {
  return stopped;
}
bool is_in_restartable_sequence(pid_t) {
  return true;
}

#endif

}  // namespace mini::kernel
