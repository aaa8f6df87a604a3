// Where the data of a mapped ELF file ends in memory: what is mapped behind it is somebody else's,
// though the kernel may show both as one mapping.
#pragma once

#include <optional>
#include <string>

#include "base/memory_reader.h"
#include "model/mapping.h"

namespace mini::sources {

/// Passes over a process's mappings in ascending order and sets Mapping::data_end of those that may
/// be written. By the headers in the target's memory, which may say anything: what makes no sense
/// leaves the mapping as it is.
class DataEnds {
 public:
  explicit DataEnds(const MemoryReader& memory) : memory_(memory) {}

  void pass(model::Mapping& mapping);

 private:
  const MemoryReader& memory_;
  std::string path_;  // of the file whose first page was passed last
  Address base_{};
  std::optional<Address> end_;
};

}  // namespace mini::sources
