// Memory for an environment that is too large for a small stack.
#pragma once

#include <cstddef>

namespace mini::agent {

/// The calling thread's, until it asks again or ends: a child of vfork, which has its parent's
/// thread, leaves it there when it becomes another program. Null where there is no memory.
char* exec_room(std::size_t bytes);

/// To be called when a thread ends.
void give_back_exec_room();

}  // namespace mini::agent
