// The end of a process that is to be searched for leaks: its memory has to be there until the
// recorder has read it. A process that is killed has none.
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "agent/session.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;
using wire::EndState;

constexpr std::uint64_t kMostWaitForEndNs = 120'000'000'000;
constexpr std::uint64_t kWaitNs = 100'000'000;  // then it is looked whether anybody records

void await_search(Session& session, std::atomic<EndState>& end) {
  const auto waiting = static_cast<std::uint32_t>(EndState::kEnding);
  for (const std::uint64_t until = vm::now_ns() + kMostWaitForEndNs; vm::now_ns() < until;) {
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&end), waiting, kWaitNs);
    if (end.load(std::memory_order_acquire) != EndState::kEnding ||
        !wire::has_reader(session.channel())) {
      return;
    }
  }
}

void tell_end() {
  Session* const session = Session::if_connected();
  if (session == nullptr || session->settings().scan_at_end == 0) return;
  wire::Slot& slot = session->slot().slot();
  // A child of vfork ends in its parent's memory.
  if (slot.pid != vm::process_id()) return;
  auto state = EndState::kRunning;
  if (!slot.end.compare_exchange_strong(state, EndState::kEnding, std::memory_order_acq_rel)) {
    return;
  }
  session->ring_doorbell();
  await_search(*session, slot.end);
}

// First of all, so that it is called last of all.
__attribute__((constructor(102))) void begin() {
  Session* const session = Session::if_connected();
  if (session != nullptr && session->settings().scan_at_end != 0) at_quick_exit(tell_end);
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
