#include "sources/stopped_process.h"

#include <cerrno>
#include <fmt/format.h>

#include "base/clock.h"
#include "sources/refusal.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kPatienceNs = 2'000'000'000;
constexpr std::uint64_t kBetweenLooksNs = 1'000'000;
constexpr int kStackPointerRegister =
#if defined(__aarch64__)
    31;
#else
    7;
#endif

std::string why_unstopped(pid_t pid, const UnstoppedThread& thread) {
  if (thread.error_number == ETIMEDOUT) {
    return fmt::format(
        "thread {} of process {} did not stop within 2 seconds (it may wait for "
        "a disk, or for its child of vfork): try again, or read the process as it runs "
        "with --no-stop",
        thread.tid, pid);
  }
  if (thread.error_number == EAGAIN) {
    return fmt::format(
        "the threads of process {} start others faster than they can be stopped: try again, or "
        "read the process as it runs with --no-stop",
        pid);
  }
  return fmt::format("cannot stop process {}: {}", pid,
                     explain_refusal(thread.tid, thread.error_number, false));
}

}  // namespace

Result<StoppedProcess> StoppedProcess::stop(pid_t pid) {
  StoppedProcess process(pid);
  process.begin_ns_ = monotonic_ns();
  if (const auto unstopped = process.stopper_->stop()) {
    return fail(why_unstopped(pid, *unstopped), unstopped->error_number);
  }
  process.take_registers();
  if (process.threads_.empty()) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  return process;
}

void StoppedProcess::take_registers() {
  for (const StoppedThread& thread : stopper_->threads()) {
    is_held_ = is_held_ || thread.is_held;
    model::InspectedThread inspected{.id = thread.tid};
    if (const auto& registers = thread.registers) {
      inspected.stack_pointer = Address{registers->dwarf.at(kStackPointerRegister)};
      inspected.thread_pointer = Address{registers->thread_pointer};
      inspected.registers.assign(registers->dwarf.begin(), registers->dwarf.end());
      inspected.code = Address{registers->dwarf.back()};
      inspected.waits = registers->is_waiting();
    }
    threads_.push_back(std::move(inspected));
  }
}

// Only a stopped thread can be let go: those that did not stop in time are waited for once more.
// What does not come the kernel lets go when we end.
std::uint64_t StoppedProcess::resume() {
  if (stopper_ == nullptr) return 0;
  const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  stopper_->release();
  const std::uint64_t pause_ns = monotonic_ns() - begin_ns_;
  while (stopper_->release_late_ones() && monotonic_ns() < deadline_ns) sleep_ns(kBetweenLooksNs);
  stopper_.reset();
  return pause_ns;
}

}  // namespace mini::sources
