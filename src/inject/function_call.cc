#include "inject/function_call.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "inject/borrowed_call.h"
#include "kernel/held_job_signals.h"
#include "kernel/process_memory.h"

namespace mini::inject {
namespace {

constexpr int kMostLateLooks = 2000;
constexpr std::uint64_t kLookNs = 1'000'000;

void wait_for_late_ones(TraceLedger& ledger) {
  for (int i = 0; i < kMostLateLooks && !ledger.late.empty(); ++i) {
    let_go_late(ledger);
    if (!ledger.late.empty()) sleep_ns(kLookNs);
  }
}

}  // namespace

Result<std::int32_t> call_function(pid_t pid, const FunctionCall& call) {
  const kernel::ProcessMemory memory(pid);
  const auto list = LoaderList::find(
      pid, memory, fmt::format("it has no loader that says where {} is", call.function));
  if (!list) return std::unexpected(list.error());
  const kernel::HeldJobSignals held;
  TraceLedger ledger;
  BorrowedCall borrowed(pid, *list, memory, ledger, fmt::format("call {}", call.function));
  const auto block =
      borrowed.run([&](CallBlock& filled, const ProcessView& view, Address place) -> Result<void> {
        const auto function = find_definition(call.function, view.modules(), memory);
        if (!function || filled.errno_location == 0) {
          return fail(fmt::format("process {} has no {}", pid, call.function));
        }
        filled.argument = call.argument;
        set_known_function(filled, *function, place);
        return {};
      });
  wait_for_late_ones(ledger);
  if (!block) return std::unexpected(block.error());
  return block->result;
}

}  // namespace mini::inject
