// A stack's frames with what the tables know of each.
#pragma once

#include <string_view>
#include <vector>

#include "explain/functions.h"
#include "explain/modules.h"
#include "model/process.h"
#include "unwind/call_stack.h"

namespace mini::explain {

struct FrameFacts {
  const unwind::Frame* frame = nullptr;
  ModuleKind kind = ModuleKind::kNone;
  std::string_view runtime;  // of the module or of the function; "" of none
  Duty duty = Duty::kNone;   // outside libc and the loader only kNone or kWrapper
  std::string_view label;
  bool libc = false;        // code of libc, wherever it is linked in
  bool start_file = false;  // _start and the like
  bool allocator = false;   // of a malloc of its own, in the program or a library

  /// Code of the program or of a library that is neither libc, loader nor runtime.
  bool own() const {
    return (kind == ModuleKind::kExecutable || kind == ModuleKind::kLibrary) && !libc &&
           !start_file && !allocator && runtime.empty() && duty != Duty::kWrapper;
  }
};

std::vector<FrameFacts> read_stack(const unwind::CallStack& stack, const model::Process& process);

}  // namespace mini::explain
