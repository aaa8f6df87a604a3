// Heaps that the program made: no thread caches their blocks.
#include <cstring>

#include "alloc/inside.h"

namespace mini::alloc {

Heap* Allocator::create_heap(const char* name) {
  if (t_thread.inside) return nullptr;
  const Inside inside;
  return backing_.pages.prepare() ? heaps_.create(backing_, name) : nullptr;
}

Heap* Allocator::find_heap(const char* name) {
  if (t_thread.inside) return nullptr;
  const Inside inside;
  const Locked locked(heaps_.lock());
  Heap* found = nullptr;
  heaps_.for_each([&](Heap& heap) {
    if (found == nullptr && std::strncmp(heap.name(), name, Heap::kMostName) == 0) found = &heap;
  });
  return found;
}

void Allocator::destroy_heap(Heap& heap) {
  if (t_thread.inside) return;
  const Inside inside;
  heaps_.destroy(backing_, heap);
}

void* Allocator::allocate_in(Heap& heap, const InHeap& wanted) {
  if (t_thread.inside) return nullptr;
  const Inside inside;
  const ClassIndex size_class = aligned_class(wanted.alignment, wanted.bytes);
  if (size_class < kClassCount) {
    void* const block = heap.allocate_small(backing_, size_class);
    if (block != nullptr && wanted.zeroed) std::memset(block, 0, wanted.bytes);
    return block;
  }
  if (wanted.alignment > kLargestAlignment) return nullptr;
  return heap.allocate_large(backing_, {.bytes = wanted.bytes,
                                        .alignment = std::max(wanted.alignment, kPageBytes),
                                        .zero = wanted.zeroed});
}

}  // namespace mini::alloc
