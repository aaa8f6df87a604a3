// Slots come in groups that are never moved, so that at() needs no lock.
#include "alloc/heap_table.h"

#include <new>

namespace mini::alloc {

// A number whose slot exists and is empty.
bool HeapTable::find_number(Backing& backing, HeapId* id) {
  if (released_ != 0) {
    for (std::uint32_t i = 1; i < end_; ++i) {
      *id = static_cast<HeapId>(i);
      if (group(*id)[i % kGroupSlots].load(std::memory_order_relaxed) != nullptr) continue;
      --released_;
      return true;
    }
  }
  if (end_ == kMost) return false;
  *id = static_cast<HeapId>(end_);
  if (group(*id) == nullptr) {
    auto* const slots = static_cast<Slot*>(backing.records.take(kGroupSlots * sizeof(Slot)));
    if (slots == nullptr) return false;
    groups_[*id / kGroupSlots].store(slots, std::memory_order_release);
  }
  ++end_;
  return true;
}

Heap* HeapTable::create(Backing& backing, const char* name) {
  const Locked locked(lock_);
  void* const record = backing.records.take(sizeof(Heap));
  if (record == nullptr) return nullptr;
  HeapId id = 0;
  if (!find_number(backing, &id)) {
    backing.records.put(record, sizeof(Heap));
    return nullptr;
  }
  Heap* const heap = new (record) Heap;
  heap->identify(id, name);
  group(id)[id % kGroupSlots].store(heap, std::memory_order_release);
  return heap;
}

void HeapTable::destroy(Backing& backing, Heap& heap) {
  heap.release_all(backing);
  const Locked locked(lock_);
  group(heap.id())[heap.id() % kGroupSlots].store(nullptr, std::memory_order_relaxed);
  ++released_;
  backing.records.put(&heap, sizeof(Heap));
}

}  // namespace mini::alloc
