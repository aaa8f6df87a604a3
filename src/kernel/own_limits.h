// The limits of this process.
#pragma once

namespace mini::kernel {

/// As many open files as are permitted, and as large a stack: the kernel looks at that limit
/// whenever the stack grows. What was started before keeps the limits that we were given.
void raise_limits();

}  // namespace mini::kernel
