// Tells the recorder of the modules that stacks lead to, each once for all threads: the session
// knows which.
#pragma once

#include <cstdint>
#include <span>

#include "agent/record_ring.h"

namespace mini::agent {

/// To be called before a stack has this return address. `room` is to work in. False where the ring
/// had no room for it.
bool tell_module_of(RecordRing& ring, std::uint64_t pc, std::span<char> room);

/// Tells of the modules that are gone.
void tell_gone_modules(RecordRing& ring);

}  // namespace mini::agent
