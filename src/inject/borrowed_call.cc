// Every wait here has an end, and every failure leaves the process as it was but for what is said.
#include "inject/borrowed_call.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <vector>

#include "base/blocked_signals.h"
#include "base/clock.h"
#include "inject/borrowed_thread.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"
#include "kernel/registers.h"

namespace mini::inject {
namespace {

constexpr std::uint64_t kPatienceNs = 10'000'000'000;
constexpr std::uint64_t kLeastPauseNs = 1'000'000;
constexpr std::uint64_t kMostPauseNs = 50'000'000;
constexpr int kMostReleases = 200;
// For so long a thread stands still whose call is over, should heapspy be killed just then.
constexpr std::uint64_t kMostWaitForUsNs = 500'000'000;

Moment judge_thread(const StoppedThread& thread, const Landmarks& landmarks,
                    unwind::Unwinder& unwinder, const MemoryReader& memory) {
  const auto registers = kernel::read_registers(thread.tid);
  if (!registers) return Moment::kUnknownStack;
  unwind::Registers start;
  std::copy_n(registers->dwarf.begin(), std::min(registers->dwarf.size(), start.value.size()),
              start.value.begin());
  const unwind::CallStackRef stack = unwinder.unwind(start, memory);
  const bool is_in_call = thread.context.system_call != kernel::kNoSystemCall;
  return judge(*stack, landmarks,
               is_in_call ? std::optional(thread.context.system_call) : std::nullopt);
}

std::uint64_t address_of(std::string_view name, const ProcessView& view,
                         const MemoryReader& memory) {
  const auto found = find_definition(name, view.modules(), memory);
  return found ? found->value : 0;
}

}  // namespace

BorrowedCall::BorrowedCall(pid_t pid, const LoaderList& list, const MemoryReader& memory,
                           TraceLedger& ledger, std::string deed)
    : pid_(pid), list_(list), memory_(memory), ledger_(ledger), deed_(std::move(deed)) {
  const unwind::UnwinderOptions options{
      .use_debug_files = false, .source_lines = false, .libc_source_lines = false};
  unwinder_ = std::make_unique<unwind::Unwinder>(unwind::make_module_cache(options));
}

// A thread that is in the loader makes every other a bad choice: it may hold the lock that dlopen
// takes, and want something that the borrowed thread has.
const StoppedThread* BorrowedCall::choose(const StoppedProcess& process, const ProcessView& view,
                                          bool accept_unknown, std::string_view* why_not) {
  unwinder_->set_modules(view.code(pid_), kernel::root_prefix(pid_));
  const Landmarks landmarks = view.landmarks(memory_);
  const StoppedThread* good = nullptr;
  const StoppedThread* unknown = nullptr;
  *why_not = process.threads().empty()
                 ? "waiting for what cannot be interrupted, as a child of vfork or a slow disk"
                 : "ending";
  for (const StoppedThread& thread : process.threads()) {
    const Moment moment = judge_thread(thread, landmarks, *unwinder_, memory_);
    if (moment != Moment::kGood) *why_not = describe(moment);
    if (moment == Moment::kInLoader) return nullptr;
    if (thread.signal != 0 || kernel::is_in_restartable_sequence(thread.tid)) continue;
    if (moment == Moment::kGood && good == nullptr) good = &thread;
    if (moment == Moment::kUnknownStack && unknown == nullptr) unknown = &thread;
  }
  return good == nullptr && accept_unknown ? unknown : good;
}

Result<BorrowedCall::Try> BorrowedCall::try_once(const FillIn& fill_in, bool accept_unknown) {
  auto process = StoppedProcess::stop(pid_, ledger_);
  if (!process) return std::unexpected(process.error());
  Try result;
  const auto view = ProcessView::read(pid_, list_, memory_);
  if (process->let_through_our_code(memory_)) {
    result.why_not = "on its way back from a call for another heapspy";
  } else if (!view) {
    result.why_not = describe(Moment::kInLoader);
  } else if (const StoppedThread* chosen =
                 choose(*process, *view, accept_unknown, &result.why_not)) {
    const StoppedThread thread = process->let_go_all_but(chosen->tid);
    const auto begun = begin(thread, *view, fill_in);
    if (!begun) return std::unexpected(begun.error());
    result.has_begun = *begun;
    if (!*begun) result.why_not = "getting a signal";
  }
  process->let_go();
  return result;
}

// False where a signal came first.
Result<bool> BorrowedCall::begin(const StoppedThread& thread, const ProcessView& view,
                                 const FillIn& fill_in) {
  const auto mask = kernel::trace_signal_mask(thread.tid);
  auto borrowed = BorrowedThread::borrow(pid_, thread, memory_, ledger_);
  if (!borrowed) {
    let_go(thread, ledger_);
    return fail(fmt::format("process {} has no room in its code for heapspy's", pid_));
  }
  const auto at =
      borrowed->system_call(SYS_mmap, {0, kCallMemory.count, PROT_READ | PROT_WRITE | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  if (!at) return false;
  if (*at < 0 && *at > -4096) {
    return fail(fmt::format("process {} may not have memory that is writable and executable: {}",
                            pid_, std::strerror(static_cast<int>(-*at))));
  }
  place_ = Address{static_cast<std::uint64_t>(*at)};
  tid_ = thread.tid;
  before_ = thread.context;
  mask_before_ = mask.value_or(0);
  CallBlock block{};
  block.saved_mask = mask_before_;
  block.wait_ns = kMostWaitForUsNs;
  block.errno_location = address_of("__errno_location", view, memory_);
  block.blocked_signals = kBlockedSignals;
  const auto undo = [&] {  // and the thread goes back
    borrowed->system_call(SYS_munmap, {place_.value, kCallMemory.count, 0, 0, 0, 0});
  };
  if (auto filled = fill_in(block, view, place_); !filled) {
    undo();
    return std::unexpected(filled.error());
  }
  set_way_back(block, borrowed->way_back());
  const std::vector<std::byte> extended = borrowed->extended_state();
  const bool is_written =
      !extended.empty() && extended.size() <= kMostExtendedState.count &&
      borrowed->write(place_, call_code()) &&
      borrowed->write(place_ + Bytes{kBlockOffset}, std::as_bytes(std::span(&block, 1))) &&
      borrowed->write(place_ + Bytes{kExtendedStateOffset}, extended);
  if (!is_written || !borrowed->go_to(place_, place_ + Bytes{kStackEnd})) {
    undo();
    return fail(fmt::format("cannot prepare a call in process {}", pid_));
  }
  return true;
}

CallBlock BorrowedCall::read_block() const {
  return memory_.read_object<CallBlock>(place_ + Bytes{kBlockOffset}).value_or(CallBlock{});
}

Result<void> BorrowedCall::wait_for_end() {
  const std::uint64_t end = monotonic_ns() + kPatienceNs;
  while (read_block().state != CallState::kDone) {
    let_go_late(ledger_);
    const auto status = kernel::read_status(pid_);
    if (!status || status->state == 'Z') {
      return fail(fmt::format("process {} has ended", pid_), ESRCH);
    }
    if (monotonic_ns() > end) {
      return fail(
          fmt::format("process {} did not {} in time: a lock that it needs is held, or thread {} "
                      "does not run; it goes on, and nothing follows should it come yet",
                      pid_, deed_, tid_));
    }
    sleep_ns(kLeastPauseNs);
  }
  return {};
}

/// False where the process has become another program.
bool BorrowedCall::has_code() const {
  const auto ours = call_code();
  std::vector<std::byte> theirs(ours.size());
  return memory_.read(place_, theirs) == theirs.size() && std::ranges::equal(ours, theirs);
}

// From its wait at the end of the code, unless it has given up waiting. The mask comes first:
// should we be killed in between, the code does both anew.
void BorrowedCall::put_back() {
  const Address waits = place_ + Bytes{call_code_wait()};
  const AddressRange code{place_, waits};
  for (int i = 0; i < kMostReleases; ++i) {
    auto thread = stop_thread(tid_, ledger_);
    if (!thread) return;
    const Address at{thread->context.rip};
    if (at == waits && has_code() && kernel::trace_set_signal_mask(tid_, mask_before_) == 0) {
      thread->context = before_;
      kernel::write_context(tid_, before_);
    }
    let_go(*thread, ledger_);
    if (!code.contains(at)) return;
    sleep_ns(kLeastPauseNs);
  }
}

// The thread is on its last few instructions there, or gone from there.
void BorrowedCall::release_memory() {
  const AddressRange memory{place_, place_ + kCallMemory};
  for (int i = 0; i < kMostReleases; ++i) {
    const auto thread = stop_thread(tid_, ledger_);
    if (!thread) return;
    if (thread->signal != 0 || memory.contains(Address{thread->context.rip}) ||
        memory.contains(Address{thread->context.rsp})) {
      let_go(*thread, ledger_);
      sleep_ns(kLeastPauseNs);
      continue;
    }
    if (!has_code()) return let_go(*thread, ledger_);
    auto borrowed = BorrowedThread::borrow(pid_, *thread, memory_, ledger_);
    if (!borrowed) return let_go(*thread, ledger_);
    const auto unmapped =
        borrowed->system_call(SYS_munmap, {place_.value, kCallMemory.count, 0, 0, 0, 0});
    if (unmapped) return borrowed->go_back();
    sleep_ns(kLeastPauseNs);
  }
}

Result<CallBlock> BorrowedCall::run(const FillIn& fill_in) {
  const std::uint64_t begin = monotonic_ns();
  std::uint64_t pause_ns = kLeastPauseNs;
  while (true) {
    const auto tried = try_once(fill_in, monotonic_ns() - begin > kPatienceNs / 4);
    if (!tried) return std::unexpected(tried.error());
    if (tried->has_begun) break;
    if (monotonic_ns() - begin > kPatienceNs) {
      return fail(fmt::format("process {} was at no good moment for {} seconds: whenever it was "
                              "looked at, a thread of it was {}; try again",
                              pid_, kPatienceNs / 1'000'000'000, tried->why_not),
                  EBUSY);
    }
    let_go_late(ledger_);
    sleep_ns(pause_ns);
    pause_ns = std::min(pause_ns * 2, kMostPauseNs);
  }
  if (auto ended = wait_for_end(); !ended) return std::unexpected(ended.error());
  const CallBlock block = read_block();
  put_back();
  release_memory();
  return block;
}

}  // namespace mini::inject
