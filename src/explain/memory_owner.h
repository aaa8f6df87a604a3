// Whose anonymous memory is that has no mark of its own: allocators and runtimes that are in the
// process, by their libraries and programs, and by how they shape their mappings.
#pragma once

#include <string>
#include <vector>

#include "model/inspection.h"

namespace mini::explain {

class MemoryOwners {
 public:
  explicit MemoryOwners(const model::Inspection& inspection);

  /// "jemalloc"; "" where nothing is known. REQUIRES: a private, writable mapping without a file,
  /// in which no piece of a heap is. An estimate: others' mappings may look the same.
  std::string owner_of(const model::Mapping& mapping) const;
  /// Of a part of such a mapping: only whose shape is known.
  std::string owner_by_shape(AddressRange range) const;

 private:
  struct Owner {
    std::string name;
    Bytes unit;       // that its mappings are multiples of; 0: any
    bool is_aligned;  // and begin at
  };
  static bool is_in_units(AddressRange range, const Owner& owner);

  std::vector<Owner> owners_;  // those whose mappings have a shape first
};

}  // namespace mini::explain
