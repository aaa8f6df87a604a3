// Tells the recorder of the modules that stacks lead to, each once for all threads: the session
// knows which.
#pragma once

#include <cstdint>
#include <span>

#include "agent/record_ring.h"
#include "base/byte_cursor.h"

namespace mini::agent {

/// To be called before a stack has this return address. `room` is to work in. False where the ring
/// had no room for it. As long as the caller's stack lasts, all other addresses in `told` need no
/// call: it is left as it was where that is not known.
bool tell_module_of(RecordRing& ring, std::uint64_t pc, std::span<char> room, ByteRange* told);

/// Tells of the modules that are gone.
void tell_gone_modules(RecordRing& ring);

}  // namespace mini::agent
