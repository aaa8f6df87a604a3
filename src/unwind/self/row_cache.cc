// The slow paths: what is not there yet, and what is no longer true.
#include "unwind/self/row_cache.h"

#include <new>

#include "kernel/vm/vm.h"
#include "unwind/self/own_memory.h"

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

void RowCache::Table::copy_rows(const Table& from) {
  for (std::size_t i = 0; i < from.slot_count(); ++i) {
    const std::uint64_t row = from.slot(i).row.load(std::memory_order_acquire);
    if (row == 0) continue;
    Slot* const taken = take_slot(from.slot(i).pc.load(std::memory_order_relaxed));
    if (taken != nullptr) taken->row.store(row, std::memory_order_relaxed);
  }
}

void RowCache::Table::forget_rows() {
  for (std::size_t i = 0; i < slot_count(); ++i) {
    slot(i).row.store(0, std::memory_order_seq_cst);
  }
}

void RowCache::Table::discard_slots() {
  constexpr std::size_t kPage = 4096;
  auto* const begin = reinterpret_cast<std::byte*>(this) + kPage;
  kernel::vm::discard(begin, bytes(slot_count()) - kPage);
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
  if (Table* const followed = follow(current, larger); followed != larger) {
    kernel::vm::unmap(memory, Table::bytes(slots));
    return followed;  // another thread's, just as new
  }
  // An inserter either is counted by now or finds that the table was followed (insert()).
  if (current != nullptr && current->inserters.load(std::memory_order_seq_cst) == 0) {
    current->discard_slots();
  }
  return larger;
}

// As in insert(), a row must not outlive its module: if forget() began a generation since the rows
// were copied, it may not have found this table, and all of them are taken back; if it begins one
// after the load below, it finds it.
RowCache::Table* RowCache::follow(Table* current, Table* larger) {
  const std::uint64_t generation = generation_.load(std::memory_order_seq_cst);
  if (current != nullptr) larger->copy_rows(*current);
  // Release: who finds the table finds its mask.
  if (!table_.compare_exchange_strong(current, larger, std::memory_order_seq_cst)) return current;
  if (generation_.load(std::memory_order_seq_cst) != generation) larger->forget_rows();
  return larger;
}

void RowCache::insert(std::uintptr_t pc, Row row, std::uint64_t generation) {
  Table* const table = table_with_room();
  if (table == nullptr) return;
  // Sequentially consistent, as in table_with_room(): either the load below comes after the table
  // was followed and sees it, or who followed it sees that somebody is inserting.
  table->inserters.fetch_add(1, std::memory_order_seq_cst);
  if (table_.load(std::memory_order_seq_cst) == table) insert_into(table, pc, row, generation);
  table->inserters.fetch_sub(1, std::memory_order_release);
}

// A row that was compiled from a module which is gone by now must not stay. Either forget() began
// its generation before the load below, which sees it, and the row is taken back; or after it: then
// forget() looks at the table and the slot later than that load in the order of all sequentially
// consistent operations, hence finds both as they are here, and clears the slot itself.
void RowCache::insert_into(Table* table, std::uintptr_t pc, Row row, std::uint64_t generation) {
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
