// What glibc's malloc knew when it made a system call, and the request that led to it.
#pragma once

#include "model/event.h"
#include "sources/tracee.h"

namespace mini::sources {

struct MallocEvidence {
  std::optional<model::MallocState> state;
  std::optional<model::MallocRequest> request;
};

/// To be called at the call's entry, right after space.unwinder took `stack`. Looks only where the
/// stack shows a function of glibc's malloc family above a call that gets or returns memory.
MallocEvidence find_malloc_evidence(TracedProcess& process, unwind::ModuleCache& modules,
                                    const kernel::SyscallSpec& spec,
                                    const kernel::ThreadRegisters& registers,
                                    const unwind::CallStack& stack);

}  // namespace mini::sources
