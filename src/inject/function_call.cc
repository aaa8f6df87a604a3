#include "inject/function_call.h"

#include <ctime>
#include <fmt/format.h>

#include "inject/borrowed_call.h"
#include "kernel/process_memory.h"

namespace mini::inject {
namespace {

constexpr int kMostLateLooks = 2000;
constexpr long kLookNs = 1'000'000;

/// Ends the seizure of threads that did not stop in time.
void let_go_of(std::vector<pid_t> late) {
  for (int i = 0; i < kMostLateLooks && !late.empty(); ++i) {
    std::erase_if(late, let_go_late);
    const timespec time{0, kLookNs};
    if (!late.empty()) ::nanosleep(&time, nullptr);
  }
}

}  // namespace

Result<std::int32_t> call_function(pid_t pid, const FunctionCall& call) {
  const kernel::ProcessMemory memory(pid);
  const auto list = LoaderList::find(pid, memory);
  if (!list) return std::unexpected(list.error());
  BorrowedCall borrowed(pid, *list, memory, fmt::format("call {}", call.function));
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
  let_go_of(borrowed.late());
  if (!block) return std::unexpected(block.error());
  return block->result;
}

}  // namespace mini::inject
