// Which pages are mapped at a moment, and by whom.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/units.h"

namespace mini::sources {

/// Ranges of addresses, each with the number of who mapped it. One that is mapped over another
/// takes its place, and one that is unmapped in the middle becomes two, as the kernel has it.
///
///  M1  ranges do not overlap, and none is empty
class MappedRanges {
 public:
  /// Told of each part that goes: who had mapped it, and its size.
  using Gone = std::function<void(std::uint32_t owner, Bytes size)>;

  /// Ranges are cut at the end of the address space.
  void map(Address begin, Bytes size, std::uint32_t owner, const Gone& gone);
  void unmap(Address begin, Bytes size, const Gone& gone);
  /// Of the range that begins there; 0 where none does.
  Bytes size_at(Address begin) const;
  /// Who mapped the page at an address; 0 where nobody is known to have.
  std::uint32_t owner_of(Address address) const;

 private:
  struct Rest {
    std::uint64_t end = 0;
    std::uint32_t owner = 0;
  };
  std::map<std::uint64_t, Rest> ranges_;  // by begin
};

}  // namespace mini::sources
