// A program's handle of a heap is the heap's address.
#pragma once

#include <minimalloc/minimalloc.h>

#include "alloc/allocator.h"

namespace mini::api {

/// Null is malloc's own heap.
inline alloc::Heap& heap_of(const minimalloc_heap* handle) {
  if (handle == nullptr) return alloc::g_allocator.heap();
  return *reinterpret_cast<alloc::Heap*>(const_cast<minimalloc_heap*>(handle));
}

inline minimalloc_heap* handle_of(alloc::Heap* heap) {
  if (heap == nullptr || heap->id() == 0) return nullptr;
  return reinterpret_cast<minimalloc_heap*>(heap);
}

}  // namespace mini::api
