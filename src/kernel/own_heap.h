// The heap of a process that is about to fill tables: its pages in one call to the kernel, where
// otherwise each costs a fault.
#pragma once

#include "base/units.h"

namespace mini::kernel {

/// Gives this process's heap so many resident bytes, and has it keep them. A fault costs as much as
/// hundreds of recorded events, the more so in a virtual machine.
void warm_heap(Bytes bytes);

}  // namespace mini::kernel
