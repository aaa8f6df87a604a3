// Where libminimalloc's state is in a target, by the table that the library publishes
// (include/minimalloc/layout.h), and the table checked: every offset in it is within its structure.
#pragma once

#include <minimalloc/layout.h>
#include <optional>
#include <string>

#include "base/memory_reader.h"
#include "base/units.h"

namespace mini::heaps {

/// A library's table, sound. Made by locate_minimalloc only.
struct MinimallocLayout {
  Address at;
  minimalloc_layout_table table{};

  std::string version() const;
  Bytes page_bytes() const { return {std::uint64_t{1} << table.page_shift}; }
};

struct MinimallocSearch {
  std::optional<MinimallocLayout> layout;
  std::string refused;  // why a table that is there is not used; "" where there is none
};

/// Looks for the note of libminimalloc in the ELF file whose headers are at `image`: a few small
/// reads.
MinimallocSearch locate_minimalloc(const MemoryReader& memory, Address image);

inline Address address_of(minimalloc_address pointer) {
  return {reinterpret_cast<std::uintptr_t>(pointer)};
}

}  // namespace mini::heaps
