// Every wait here has an end, and every failure leaves the process as it was but for what is said.
#include "inject/agent_loader.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <fmt/format.h>
#include <memory>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "inject/borrowed_thread.h"
#include "inject/call_code.h"
#include "inject/import_binder.h"
#include "inject/process_view.h"
#include "inject/stopped_process.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/registers.h"

namespace mini::inject {
namespace {

constexpr std::uint64_t kPatienceNs = 10'000'000'000;
constexpr std::uint64_t kLeastPauseNs = 1'000'000;
constexpr std::uint64_t kMostPauseNs = 50'000'000;
constexpr std::uint64_t kLegacyOpenFlag = 0x80000000;  // __RTLD_DLOPEN, of __libc_dlopen_mode
constexpr int kMostReleases = 200;

void pause_for(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / 1'000'000'000U),
                      static_cast<long>(ns % 1'000'000'000U)};
  ::nanosleep(&time, nullptr);
}

template <std::size_t Size>
bool copy_text(char (&to)[Size], const std::string& from) {
  if (from.size() >= Size) return false;
  std::memcpy(to, from.c_str(), from.size() + 1);
  return true;
}

class AgentLoader {
 public:
  AgentLoader(const AgentOrder& order, const LoaderList& list, const MemoryReader& memory)
      : order_(order), list_(list), memory_(memory) {
    const unwind::UnwinderOptions options{
        .use_debug_files = false, .source_lines = false, .libc_source_lines = false};
    unwinder_ = std::make_unique<unwind::Unwinder>(unwind::make_module_cache(options));
  }

  Result<LoadedAgent> run();

 private:
  struct Try {
    bool has_begun = false;
    std::string_view why_not;
  };

  Result<Try> try_once(bool accept_unknown);
  const StoppedThread* choose(const StoppedProcess& process, const ProcessView& view,
                              bool accept_unknown, std::string_view* why_not);
  Result<void> begin_call(const StoppedThread& thread, const ProcessView& view);
  Result<void> fill_in(CallBlock& block, const ProcessView& view);
  Result<void> wait_for_end();
  Result<LoadedAgent> outcome();
  void release_memory();
  CallBlock read_block() const;

  const AgentOrder& order_;
  const LoaderList& list_;
  const MemoryReader& memory_;
  std::unique_ptr<unwind::Unwinder> unwinder_;
  Address place_{};  // of the call's memory in the process
  pid_t tid_ = 0;    // the thread that was borrowed
  LoadedAgent loaded_;
};

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

// A thread that is in the loader makes every other a bad choice: it may hold the lock that dlopen
// takes, and want something that the borrowed thread has.
const StoppedThread* AgentLoader::choose(const StoppedProcess& process, const ProcessView& view,
                                         bool accept_unknown, std::string_view* why_not) {
  unwinder_->set_modules(view.code(), kernel::root_prefix(order_.pid));
  const Landmarks landmarks = view.landmarks(memory_);
  const StoppedThread* good = nullptr;
  const StoppedThread* unknown = nullptr;
  *why_not = "ending";
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

Result<AgentLoader::Try> AgentLoader::try_once(bool accept_unknown) {
  auto process = StoppedProcess::stop(order_.pid);
  if (!process) return std::unexpected(process.error());
  Try result;
  const auto view = ProcessView::read(order_.pid, list_, memory_);
  if (!view) {
    result.why_not = describe(Moment::kInLoader);
  } else if (const StoppedThread* chosen =
                 choose(*process, *view, accept_unknown, &result.why_not)) {
    const StoppedThread thread = process->let_go_all_but(chosen->tid);
    if (auto begun = begin_call(thread, *view); !begun) return std::unexpected(begun.error());
    result.has_begun = true;
  }
  loaded_.late = process->let_go();
  return result;
}

Result<void> AgentLoader::begin_call(const StoppedThread& thread, const ProcessView& view) {
  CallBlock block{};
  if (auto filled = fill_in(block, view); !filled) {
    let_go(thread);
    return filled;
  }
  auto borrowed = BorrowedThread::borrow(order_.pid, thread, memory_);
  if (!borrowed) {
    let_go(thread);
    return fail(fmt::format("process {} has no room in its code for heapspy's", order_.pid));
  }
  const auto at =
      borrowed->system_call(SYS_mmap, {0, kCallMemory.count, PROT_READ | PROT_WRITE | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  if (!at || (*at < 0 && *at > -4096)) {
    return fail(fmt::format("process {} may not have memory that is writable and executable: {}",
                            order_.pid, at ? std::strerror(static_cast<int>(-*at)) : "no answer"));
  }
  place_ = Address{static_cast<std::uint64_t>(*at)};
  tid_ = thread.tid;
  set_way_back(block, borrowed->way_back());
  const std::vector<std::byte> extended = borrowed->extended_state();
  const bool is_written =
      !extended.empty() && extended.size() <= kMostExtendedState.count &&
      borrowed->write(place_, call_code()) &&
      borrowed->write(place_ + Bytes{kBlockOffset}, std::as_bytes(std::span(&block, 1))) &&
      borrowed->write(place_ + Bytes{kExtendedStateOffset}, extended);
  if (!is_written || !borrowed->go_to(place_, place_ + Bytes{kStackEnd})) {
    return fail(fmt::format("cannot prepare a call in process {}", order_.pid));
  }
  return {};
}

Result<void> AgentLoader::fill_in(CallBlock& block, const ProcessView& view) {
  const auto find = [&](std::string_view name, std::string_view before_2_34) {
    auto found = find_definition(name, view.modules(), memory_);
    if (!found && !before_2_34.empty()) {
      found = find_definition(before_2_34, view.modules(), memory_);
      if (found && name == "dlopen") block.open_flags |= kLegacyOpenFlag;
    }
    return found ? found->value : 0;
  };
  block.open_flags = RTLD_NOW;
  block.errno_location = find("__errno_location", "");
  block.dlopen = find("dlopen", "__libc_dlopen_mode");
  block.dlsym = find("dlsym", "__libc_dlsym");
  block.dlerror = find("dlerror", "");
  if (block.errno_location == 0 || block.dlopen == 0 || block.dlsym == 0) {
    return fail(fmt::format("process {} has no dlopen: its C library is none that heapspy knows",
                            order_.pid));
  }
  block.all_signals = ~std::uint64_t{0};
  loaded_.real = find_real_functions(order_.functions, view.modules(), memory_);
  for (const auto& [name, address] : loaded_.real) {
    if (block.order.functions_count == wire::kMostRealFunctions) break;
    wire::RealFunction& real = block.order.functions[block.order.functions_count];
    if (!copy_text(real.name, name)) continue;
    real.address = address.value;
    ++block.order.functions_count;
  }
  if (!copy_text(block.path, order_.agent) || !copy_text(block.function, wire::kAttachFunction) ||
      !copy_text(block.order.channel_path, order_.channel_path)) {
    return fail(fmt::format("the path of the agent is too long: '{}'", order_.agent));
  }
  return {};
}

CallBlock AgentLoader::read_block() const {
  return memory_.read_object<CallBlock>(place_ + Bytes{kBlockOffset}).value_or(CallBlock{});
}

Result<void> AgentLoader::wait_for_end() {
  const std::uint64_t end = monotonic_ns() + kPatienceNs;
  while (read_block().state != CallState::kDone) {
    const auto status = kernel::read_status(order_.pid);
    if (!status || status->state == 'Z') {
      return fail(fmt::format("process {} has ended", order_.pid), ESRCH);
    }
    if (monotonic_ns() > end) {
      return fail(
          fmt::format("process {} did not load heapspy's agent in time: a lock of its "
                      "loader is held, or thread {} does not run; it goes on, and the "
                      "agent does nothing should it come yet",
                      order_.pid, tid_));
    }
    pause_for(kLeastPauseNs);
  }
  return {};
}

// The thread is on its last few instructions there, or gone from there.
void AgentLoader::release_memory() {
  const AddressRange memory{place_, place_ + kCallMemory};
  for (int i = 0; i < kMostReleases; ++i) {
    const auto thread = stop_thread(tid_);
    if (!thread) return;
    if (memory.contains(Address{thread->context.rip}) ||
        memory.contains(Address{thread->context.rsp})) {
      let_go(*thread);
      pause_for(kLeastPauseNs);
      continue;
    }
    auto borrowed = BorrowedThread::borrow(order_.pid, *thread, memory_);
    if (!borrowed) return let_go(*thread);
    borrowed->system_call(SYS_munmap, {place_.value, kCallMemory.count, 0, 0, 0, 0});
    borrowed->go_back();
    return;
  }
}

Result<LoadedAgent> AgentLoader::outcome() {
  const CallBlock block = read_block();
  release_memory();
  loaded_.link_map = Address{block.handle};
  if (block.result == kLoadFailed) {
    const std::size_t bytes = ::strnlen(&block.error[0], sizeof block.error);
    return fail(fmt::format(
        "process {} cannot load heapspy's agent: {}", order_.pid,
        bytes != 0 ? std::string(&block.error[0], bytes) : fmt::format("'{}'", order_.agent)));
  }
  switch (static_cast<wire::AttachAnswer>(block.result)) {
    case wire::AttachAnswer::kAttached:
      return std::move(loaded_);
    case wire::AttachAnswer::kIsRecorded:
      return fail(
          fmt::format("process {} is being recorded by another heapspy already", order_.pid),
          EBUSY);
    case wire::AttachAnswer::kNoChannel:
      break;
  }
  return fail(
      fmt::format("process {} cannot reach heapspy's memory: it is in another PID "
                  "namespace (a container), or may map no more memory",
                  order_.pid));
}

Result<LoadedAgent> AgentLoader::run() {
  const std::uint64_t begin = monotonic_ns();
  std::uint64_t pause_ns = kLeastPauseNs;
  while (true) {
    const auto tried = try_once(monotonic_ns() - begin > kPatienceNs / 4);
    if (!tried) return std::unexpected(tried.error());
    if (tried->has_begun) break;
    if (monotonic_ns() - begin > kPatienceNs) {
      return fail(fmt::format("process {} was at no good moment for {} seconds: whenever it was "
                              "looked at, a thread of it was {}; try again",
                              order_.pid, kPatienceNs / 1'000'000'000, tried->why_not),
                  EBUSY);
    }
    for (const pid_t tid : loaded_.late) let_go_late(tid);
    pause_for(pause_ns);
    pause_ns = std::min(pause_ns * 2, kMostPauseNs);
  }
  if (auto ended = wait_for_end(); !ended) return std::unexpected(ended.error());
  return outcome();
}

}  // namespace

Result<LoadedAgent> load_agent(const AgentOrder& order, const LoaderList& list,
                               const MemoryReader& memory) {
  return AgentLoader(order, list, memory).run();
}

}  // namespace mini::inject
