// Code address → row, for all threads of the process: each address is compiled once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "unwind/self/row.h"

namespace mini::unwind::self {

/// Open addressing. Constant-initialised; no function locks, waits or fails.
///
///  C1  a slot's pc goes from 0 to its address and stays; its row changes between kAbsent and what
///      was compiled for that address
///  C2  no table is ever unmapped, or filled beyond half: a search ends at an empty slot
///  C3  a table that is full is followed by one of twice its size that has its rows, up to
///      kMostSlots; its own memory is given back, so that most of its slots are empty, unless
///      somebody is inserting into it: C1 would not hold for what was half in it
///
/// A thread may go on reading a table that was followed by another: a row that it finds there is
/// still right, for forget() is about code that no thread can be in, and one that is gone is
/// compiled again.
class RowCache {
 public:
  static constexpr std::size_t kFirstSlots = std::size_t{1} << 10;
  static constexpr std::size_t kMostSlots = std::size_t{1} << 20;  // 16 MiB

  class Table;

  constexpr RowCache() = default;
  RowCache(const RowCache&) = delete;
  RowCache& operator=(const RowCache&) = delete;

  /// For find(). Null before the first insert().
  const Table* table() const { return table_.load(std::memory_order_acquire); }
  static Row find(const Table* table, std::uintptr_t pc);

  /// Counts the changes of what is loaded; what was remembered under another number is void.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// Keeps a row that was compiled after generation() was `generation`; drops it where there is no
  /// room. REQUIRES: pc != 0, row is not kAbsent.
  void insert(std::uintptr_t pc, Row row, std::uint64_t generation);

  /// Begins a new generation, and forgets each row for whose address keep(context, pc) is false.
  void forget(bool (*keep)(const void* context, std::uintptr_t pc), const void* context);

 private:
  Table* table_with_room();
  Table* follow(Table* current, Table* larger);
  void insert_into(Table* table, std::uintptr_t pc, Row row, std::uint64_t generation);

  std::atomic<Table*> table_{nullptr};
  std::atomic<std::uint64_t> generation_{1};
};

class RowCache::Table {
 public:
  struct Slot {
    std::atomic<std::uintptr_t> pc;
    std::atomic<std::uint64_t> row;
  };

  static std::size_t bytes(std::size_t slot_count);
  explicit Table(std::size_t slot_count) : byte_mask_((slot_count - 1) * sizeof(Slot)) {}

  std::size_t slot_count() const { return byte_mask_ / sizeof(Slot) + 1; }
  bool has_room() const { return used_.load(std::memory_order_relaxed) < slot_count() / 2; }

  // Zeroed memory behind the table itself is an array of empty slots. A walk waits for this sum at
  // each of its steps, so an address is its own hash: the low bits of return addresses differ.
  Slot& slot(std::uintptr_t pc) const {
    const auto first = reinterpret_cast<std::uintptr_t>(this + 1);
    return *reinterpret_cast<Slot*>(first + (pc * sizeof(Slot) & byte_mask_));
  }

  /// The slot of `pc`, taken if need be; null where others took the last ones.
  Slot* take_slot(std::uintptr_t pc);
  /// Takes over the rows of a smaller table. REQUIRES: no other thread has found this one yet.
  void copy_rows(const Table& from);
  void forget_rows();
  /// Gives the memory of the slots back, but for those in the page of the table itself.
  void discard_slots();

  /// Who inserts, for as long as it does.
  std::atomic<std::uint32_t> inserters{0};

 private:
  std::size_t byte_mask_;
  std::atomic<std::size_t> used_{0};
};

inline Row RowCache::find(const Table* table, std::uintptr_t pc) {
  if (table == nullptr) return {};
  for (std::uintptr_t i = pc;; ++i) {
    const Table::Slot& slot = table->slot(i);
    // Relaxed: C1 makes the two words independent. Whatever row is in the slot is one for its pc,
    // and a row is one word that nothing else is reached through.
    const std::uintptr_t there = slot.pc.load(std::memory_order_relaxed);
    if (there == pc) return Row(slot.row.load(std::memory_order_relaxed));
    if (there == 0) return {};
  }
}

}  // namespace mini::unwind::self
