// All that a stopped thread is in user mode, to be taken over and given back by who borrows the
// thread for a moment. x86-64 only: nothing of this is to be had elsewhere yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace mini::kernel {

/// The registers that the borrower sets, and those that it must give back.
struct ThreadContext {
  std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  std::uint64_t rsp, flags, rip;
  std::uint64_t system_call;  // the one that it is in; kNoSystemCall
  std::uint64_t code_segment, stack_segment, fs_base, gs_base, ds, es, fs, gs;

  bool operator==(const ThreadContext&) const = default;
};
inline constexpr std::uint64_t kNoSystemCall = ~std::uint64_t{0};

std::optional<ThreadContext> read_context(pid_t tid);
/// All at once: a thread is never seen with half of them.
bool write_context(pid_t tid, const ThreadContext& context);

/// x87, SSE, AVX…, as XSAVE writes them and XRSTOR takes them; empty where they cannot be had.
std::vector<std::byte> read_extended_state(pid_t tid);

/// Where the thread would go on if nothing had interrupted it: a system call that the kernel would
/// start again is set to be started again. With no_signal_waits, also the few calls that say EINTR
/// where any other would go on (epoll_wait, sigtimedwait; signal(7)): nobody asked for that.
ThreadContext resume_point(const ThreadContext& stopped, bool no_signal_waits);

/// The same for a thread that is let go from a stop before the kernel looks at its signals (one of
/// PTRACE_INTERRUPT or of a signal): then that decides whether a call is started again or says
/// EINTR, by whether a handler is called.
ThreadContext undisturbed(const ThreadContext& stopped);

/// Whether the thread is in a restartable sequence (rseq(2)), which begins anew if it is
/// interrupted there: moving it elsewhere would hide that from it.
bool is_in_restartable_sequence(pid_t tid);

}  // namespace mini::kernel
