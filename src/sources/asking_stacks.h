// operator new asks for memory on behalf of its caller: whose the blocks are, a stack says without
// it. Over glibc the C++ library's stands innermost in a stack; an allocator that comes with its
// own, as jemalloc, has none there. Without it the same program has the same stacks over each.
#pragma once

#include "model/heap_profile.h"

namespace mini::sources {

/// Leaves operator new out where a stack that asked for blocks begins with it, unless there is
/// nothing else; stacks that are the same without it become one. REQUIRES: all names are known.
void leave_out_operator_new(model::HeapProfile& profile);

}  // namespace mini::sources
