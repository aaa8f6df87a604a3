// The order of steps is what makes it safe: first the code with the way back is in memory, then the
// registers point to it, all at once.
#include "inject/borrowed_thread.h"

#include <algorithm>
#include <csignal>
#include <sys/wait.h>
#include <utility>

#include "base/clock.h"
#include "inject/call_code.h"
#include "inject/code_slack.h"
#include "kernel/ptrace.h"

namespace mini::inject {
namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr int kMostWaits = 4000;              // of half a millisecond
constexpr std::uint64_t kWaitNs = 500'000;

/// The next stop's status; nullopt where it does not come, or the thread has ended.
std::optional<int> wait_for_stop(pid_t tid) {
  for (int i = 0; i < kMostWaits; ++i) {
    int status = 0;
    const pid_t came = ::waitpid(tid, &status, __WALL | WNOHANG);
    if (came == tid) return WIFSTOPPED(status) ? std::optional(status) : std::nullopt;
    if (came < 0) return std::nullopt;
    sleep_ns(kWaitNs);
  }
  return std::nullopt;
}

}  // namespace

BorrowedThread::BorrowedThread(pid_t pid, const StoppedThread& thread, TraceLedger& ledger)
    : thread_(thread), ledger_(ledger), way_back_(resume_point(thread)), writer_(pid) {}

std::optional<BorrowedThread> BorrowedThread::borrow(pid_t pid, const StoppedThread& thread,
                                                     const MemoryReader& memory,
                                                     TraceLedger& ledger) {
  BorrowedThread borrowed(pid, thread, ledger);
  const std::vector<std::byte> code = system_call_code(borrowed.way_back_);
  const auto first = std::span(code).first(std::min(code.size(), kSystemCallSignBytes));
  const auto slack = find_code_slack(pid, kSystemCallCodeBytes, first, memory);
  if (!slack || code.empty() || code.size() > kSystemCallCodeBytes.count) return std::nullopt;
  std::vector<std::byte> before(code.size());
  if (memory.read(*slack, before) != before.size() || !borrowed.write(*slack, code)) {
    return std::nullopt;
  }
  borrowed.slack_ = *slack;
  borrowed.slack_bytes_ = std::move(before);
  return borrowed;
}

BorrowedThread::~BorrowedThread() {
  if (is_stopped_ && thread_.tid != 0) go_back();
}

BorrowedThread::BorrowedThread(BorrowedThread&& other) noexcept
    : thread_(other.thread_),
      ledger_(other.ledger_),
      way_back_(other.way_back_),
      writer_(std::move(other.writer_)),
      slack_(other.slack_),
      slack_bytes_(std::move(other.slack_bytes_)),
      is_stopped_(std::exchange(other.is_stopped_, false)),
      is_behind_call_(other.is_behind_call_) {}

// False where it stopped for something else: then it has not begun the call.
bool BorrowedThread::run_to_call(bool to_exit) {
  if (kernel::trace_to_syscall(tid(), 0) != 0) return false;
  const auto status = wait_for_stop(tid());
  if (!status) return false;
  if (WSTOPSIG(*status) != kSyscallStop) {
    if (*status >> 16 == 0) thread_.signal = WSTOPSIG(*status);
    return false;
  }
  const auto context = kernel::read_context(tid());
  const auto stop = kernel::trace_syscall_stop(tid());
  if (!context || !stop) return false;
  const bool is_exit = stop->kind == kernel::SyscallStop::Kind::kExit;
  return context->rip == slack_.value + kSystemCallEnd && is_exit == to_exit;
}

std::optional<std::int64_t> BorrowedThread::system_call(
    std::uint64_t number, const std::array<std::uint64_t, 6>& arguments) {
  kernel::ThreadContext at = way_back_;
  at.rax = number;
  at.rdi = arguments[0];
  at.rsi = arguments[1];
  at.rdx = arguments[2];
  at.r10 = arguments[3];
  at.r8 = arguments[4];
  at.r9 = arguments[5];
  at.rip = slack_.value;
  if (!kernel::write_context(tid(), at)) return std::nullopt;
  is_behind_call_ = false;
  if (!run_to_call(false)) {
    go_back();
    return std::nullopt;
  }
  is_behind_call_ = run_to_call(true);
  if (!is_behind_call_) {
    release();
    return std::nullopt;
  }
  const auto context = kernel::read_context(tid());
  if (!context) return std::nullopt;
  return static_cast<std::int64_t>(context->rax);
}

bool BorrowedThread::go_to(Address code, Address stack) {
  kernel::ThreadContext at = way_back_;
  at.rip = code.value;
  at.rsp = stack.value;
  if (!kernel::write_context(tid(), at)) return false;
  put_slack_back();
  kernel::trace_set_signal_mask(tid(), ~std::uint64_t{0});
  release();
  return true;
}

// The stop comes before another instruction does: the kernel looks for it on its way out of the
// call.
void BorrowedThread::stop_before_signals() {
  if (!std::exchange(is_behind_call_, false)) return;
  if (kernel::trace_interrupt(tid()) != 0 || kernel::trace_continue(tid(), 0) != 0) return;
  const auto status = wait_for_stop(tid());
  if (status && *status >> 16 == 0) thread_.signal = WSTOPSIG(*status);
}

// Should we be killed before the registers are written, the code behind the call has the way back.
void BorrowedThread::go_back() {
  stop_before_signals();
  const kernel::ThreadContext at = kernel::undisturbed(thread_.context);
  ledger_.interrupted.let_go(tid(), at);
  if (kernel::write_context(tid(), at)) put_slack_back();
  release();
}

void BorrowedThread::put_slack_back() {
  if (!slack_bytes_.empty()) write(slack_, slack_bytes_);
}

void BorrowedThread::release() {
  if (kernel::trace_detach(tid(), thread_.signal) != 0) ledger_.late.push_back(tid());
  is_stopped_ = false;
}

}  // namespace mini::inject
