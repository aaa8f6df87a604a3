// The limits of this process.
#pragma once

#include <functional>

namespace mini::kernel {

/// As many open files as are permitted, and as large a stack: the kernel looks at that limit
/// whenever the stack grows. What was started before keeps the limits that we were given.
void raise_limits();

/// What work() returns. Where our stack may be small only, whatever we ask for, it runs on a thread
/// that has another, and that has the signals meanwhile. REQUIRES: it throws nothing.
int call_with_enough_stack(const std::function<int()>& work);

}  // namespace mini::kernel
