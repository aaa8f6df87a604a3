#include "explain/stack_facts.h"

#include <cstddef>

namespace mini::explain {
namespace {

// A static program has libc's code among its own: known by its name, or by a name that is reserved
// to the implementation of the language.
bool is_static_libc(std::string_view function, const FunctionFact* fact) {
  return fact != nullptr ? fact->name != "main" : function.starts_with('_');
}

FrameFacts read_frame(const unwind::Frame& frame, const model::Process& process) {
  const Module module = classify_module(frame.module, process);
  FrameFacts facts;
  facts.frame = &frame;
  facts.kind = module.kind;
  facts.runtime = module.runtime;
  const bool may_hold_runtime =
      module.kind == ModuleKind::kExecutable || module.kind == ModuleKind::kLibrary;
  if (may_hold_runtime) facts.runtime = runtime_of_function(frame.function);
  facts.start_file = may_hold_runtime && is_start_file_code(frame.function);

  const bool is_static = module.kind == ModuleKind::kExecutable && process.interpreter.empty() &&
                         facts.runtime.empty();
  const FunctionFact* fact = find_function(frame.function);
  facts.libc = module.kind == ModuleKind::kLibc || module.kind == ModuleKind::kMusl ||
               (is_static && is_static_libc(frame.function, fact));
  const bool table_applies = facts.libc || module.kind == ModuleKind::kLoader;
  if (fact != nullptr && table_applies) {
    facts.duty = fact->duty;
    facts.label = fact->label;
  }
  // Allocators that watch mmap put a function of that name before libc's: it decides nothing
  // either.
  if (fact != nullptr && fact->duty == Duty::kWrapper && !table_applies) {
    facts.duty = Duty::kWrapper;
    facts.runtime = {};
  }
  const bool is_entry = fact != nullptr && fact->duty == Duty::kMallocEntry;
  facts.allocator = may_hold_runtime && !facts.libc &&
                    (is_entry || !allocator_of_function(frame.function).empty());
  return facts;
}

}  // namespace

std::vector<FrameFacts> read_stack(const unwind::CallStack& stack, const model::Process& process) {
  std::vector<FrameFacts> list;
  list.reserve(stack.frames.size());
  for (const unwind::Frame& frame : stack.frames) list.push_back(read_frame(frame, process));
  // Without a name, _start is still the frame outside of libc's start-up code that has no caller.
  const std::size_t count = list.size();
  if (count >= 2 && list[count - 2].duty == Duty::kLibcStart && list[count - 1].own()) {
    list[count - 1].start_file = true;
  }
  return list;
}

}  // namespace mini::explain
