// The slow paths: what is not there yet, and what is no longer true.
#include "unwind/self/row_cache.h"

#include <new>

#include "kernel/vm/vm.h"
#include "unwind/self/arena.h"

namespace mini::unwind::self {

std::size_t RowCache::Table::bytes(std::size_t slot_count) {
  return in_map_steps(sizeof(Table) + slot_count * sizeof(Slot));
}

RowCache::Table::Slot* RowCache::Table::take_slot(std::uintptr_t pc) {
  // Threads that saw room at the same time may pass the half by as many as they are; C2 still
  // holds, but a bound costs nothing.
  for (std::uintptr_t i = pc; i != pc + slot_count() / 4; ++i) {
    Slot& candidate = slot(i);
    std::uintptr_t there = candidate.pc.load(std::memory_order_relaxed);
    if (there == 0 && candidate.pc.compare_exchange_strong(there, pc, std::memory_order_relaxed)) {
      used_.fetch_add(1, std::memory_order_relaxed);
      return &candidate;
    }
    if (there == pc) return &candidate;
  }
  return nullptr;
}

RowCache::Table* RowCache::table_with_room() {
  Table* current = table_.load(std::memory_order_acquire);
  if (current != nullptr && (current->has_room() || current->slot_count() == kMostSlots)) {
    return current->has_room() ? current : nullptr;
  }
  const std::size_t slots = current == nullptr ? kFirstSlots : current->slot_count() * 2;
  void* const memory = map_zeroed(Table::bytes(slots));
  if (memory == nullptr) return nullptr;
  auto* const larger = new (memory) Table(slots);
  // Release: who finds the table finds its mask. Sequentially consistent: see insert().
  if (table_.compare_exchange_strong(current, larger, std::memory_order_seq_cst)) return larger;
  kernel::vm::unmap(memory, Table::bytes(slots));
  return current;  // another thread's, just as new
}

// A row that was compiled from a module which is gone by now must not stay. Either forget() began
// its generation before the load below, which sees it, and the row is taken back; or after it: then
// forget() looks at the table and the slot later than that load in the order of all sequentially
// consistent operations, hence finds both as they are here, and clears the slot itself.
void RowCache::insert(std::uintptr_t pc, Row row, std::uint64_t generation) {
  Table* const table = table_with_room();
  if (table == nullptr) return;
  Table::Slot* const slot = table->take_slot(pc);
  if (slot == nullptr) return;
  slot->row.store(row.word(), std::memory_order_seq_cst);
  if (generation_.load(std::memory_order_seq_cst) != generation) {
    slot->row.store(0, std::memory_order_seq_cst);
  }
}

void RowCache::forget(bool (*keep)(const void* context, std::uintptr_t pc), const void* context) {
  generation_.fetch_add(1, std::memory_order_seq_cst);
  const Table* const table = table_.load(std::memory_order_seq_cst);
  if (table == nullptr) return;
  for (std::size_t i = 0; i < table->slot_count(); ++i) {
    Table::Slot& slot = table->slot(i);
    if (slot.row.load(std::memory_order_seq_cst) == 0) continue;
    // The pc was stored before the row by the same thread; a seq_cst row is an acquire of it.
    if (!keep(context, slot.pc.load(std::memory_order_relaxed))) {
      slot.row.store(0, std::memory_order_seq_cst);
    }
  }
}

}  // namespace mini::unwind::self
