// A heap profile made by hand, that adds up: a parser that frees its buffers at once, a cache that
// keeps its blocks, a library without symbols.
#pragma once

#include "model/heap_profile.h"

namespace mini::explain {

model::HeapProfile sample_profile();

/// sample_profile()'s program, changed and built again: everything is at another address and line,
/// its file has another name, the parser is no longer inlined, the library is gone, and the cache
/// keeps all its blocks.
model::HeapProfile changed_profile();

/// sample_profile()'s program, with one more place that 3000 different callers come to: each has a
/// temporary allocation of 16 bytes there and keeps one of 32.
model::HeapProfile crowded_profile();

/// Names full of control characters, very long ones, a stack as deep as can be; and losses of every
/// kind.
model::HeapProfile hostile_profile();

}  // namespace mini::explain
