// Splits a process's memory, resident and mapped, into rows that say what it is used for.
#pragma once

#include "model/inspection.h"

namespace mini::explain {

/// Fills both ledgers from regions, heap and account. N1 and N2 of model/inspection.h hold after
/// it.
void make_memory_ledgers(model::Inspection& inspection);

/// The sum of the rows of a kind.
std::int64_t sum_of_kind(const std::vector<model::MemoryRow>& rows, model::MemoryKind kind);

/// "main arena", "arena 2", "mmapped chunks".
std::string arena_name(const model::Heap& heap, std::uint32_t arena);
/// The same; "" where no heap was found.
std::string arena_name(const model::Inspection& inspection, std::uint32_t arena);

}  // namespace mini::explain
