// The end of a process: its memory has to be there until the recorder has measured it, and has
// searched it for leaks where it is to. A process that is killed has none.
#include "agent/end.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "agent/patience.h"
#include "agent/session.h"
#include "agent/thread_log.h"
#include "kernel/vm/shared.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;
using wire::EndState;

constexpr std::uint64_t kMostWaitForSearchNs = 120'000'000'000;

void await(const Session& session, EndState what, std::uint64_t most_ns) {
  if (t_is_silent) return;
  wire::Slot& slot = session.slot().slot();
  if (!wire::has_reader(session.channel())) return;
  auto state = EndState::kRunning;
  if (!slot.end.compare_exchange_strong(state, what, std::memory_order_acq_rel)) return;
  ring_doorbell(session.channel());
  for (Patience patience(most_ns); patience.lasts();) {
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&slot.end), static_cast<std::uint32_t>(what),
                    Patience::kMostOfASleepNs);
    if (slot.end.load(std::memory_order_acquire) != what || !wire::has_reader(session.channel())) {
      return;
    }
  }
}

/// A child of vfork is in its parent's memory, and has its session.
bool is_own(const Session& session) {
  return session.slot().slot().pid == vm::process_id();
}

// Unless it is to be searched a process that ends is not asked who it is: a sandbox may kill for
// that. At the end of a child of vfork its parent is measured, which does no harm.
void tell_end() {
  const Session* const session = Session::if_connected();
  if (session == nullptr) return;
  if (session->settings().scan_at_end != 0) {
    if (is_own(*session)) await(*session, EndState::kWaitsForSearch, kMostWaitForSearchNs);
  } else {
    await(*session, EndState::kWaitsForSample, kMostWaitNs);
  }
}

// First of all, so that it is called last of all.
__attribute__((constructor(102))) void begin() {
  if (Session::if_connected() != nullptr) at_quick_exit(tell_end);
}

// The library that was loaded first of all ends last of all: what the program's destructors and
// atexit handlers free is freed by now.
__attribute__((destructor(101))) void end() {
  tell_end();
}

[[noreturn]] void end_at_once(int status) {
  tell_end();
  vm::end_process(status);
}

}  // namespace

void await_last_sample() {
  const Session* const session = Session::if_connected();
  if (session != nullptr && is_own(*session)) {
    await(*session, EndState::kWaitsForSample, kMostWaitNs);
  }
}

}  // namespace mini::agent

// Ways to end without destructors.
extern "C" {
__attribute__((visibility("default"), noreturn)) void _exit(int status) {
  mini::agent::end_at_once(status);
}
__attribute__((visibility("default"), noreturn)) void _Exit(int status) {
  mini::agent::end_at_once(status);
}
}
