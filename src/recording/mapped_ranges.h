// Which pages are mapped at a moment, and by whom.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

#include "base/units.h"

namespace mini::recording {

/// Ranges of addresses, each with who mapped it. One that is mapped over another takes its place,
/// and one that is unmapped in the middle becomes two, as the kernel has it.
///
///  M1  ranges do not overlap, and none is empty
template <typename Owner>
class MappedRanges {
 public:
  /// Ranges are cut at the end of the address space. `gone` is told of each part that goes:
  /// gone(owner, range).
  template <typename Gone>
  void map(Address begin, Bytes size, Owner owner, const Gone& gone) {
    unmap(begin, size, gone);
    const std::uint64_t end = end_of(begin, size);
    if (end > begin.value) ranges_[begin.value] = {.end = end, .owner = owner};
  }

  template <typename Gone>
  void unmap(Address begin, Bytes size, const Gone& gone) {
    const std::uint64_t end = end_of(begin, size);
    auto range = ranges_.upper_bound(begin.value);
    if (range != ranges_.begin() && std::prev(range)->second.end > begin.value) --range;
    while (range != ranges_.end() && range->first < end) {
      const auto [first, rest] = *range;
      const std::uint64_t from = std::max(first, begin.value);
      const std::uint64_t until = std::min(rest.end, end);
      gone(rest.owner, AddressRange{Address{from}, Address{until}});
      if (first < from) {
        range->second.end = from;
        ++range;
      } else {
        range = ranges_.erase(range);
      }
      if (until < rest.end) {
        ranges_.insert_or_assign(range, until, rest);
        return;
      }
    }
  }

  /// Of the range that begins there; 0 where none does.
  Bytes size_at(Address begin) const {
    const auto range = ranges_.find(begin.value);
    return range == ranges_.end() ? Bytes{} : Bytes{range->second.end - begin.value};
  }
  /// Who mapped the page at an address; Owner{} where nobody is known to have.
  Owner owner_of(Address address) const {
    const auto after = ranges_.upper_bound(address.value);
    if (after == ranges_.begin()) return {};
    const Rest& rest = std::prev(after)->second;
    return address.value < rest.end ? rest.owner : Owner{};
  }

 private:
  struct Rest {
    std::uint64_t end = 0;
    Owner owner = {};
  };

  // The kernel maps whole pages, whatever size it was asked for.
  static constexpr std::uint64_t kPage = 4096;
  static std::uint64_t end_of(Address begin, Bytes size) {
    const std::uint64_t whole =
        size.count > UINT64_MAX - kPage ? size.count : (size.count + kPage - 1) / kPage * kPage;
    return whole > UINT64_MAX - begin.value ? UINT64_MAX : begin.value + whole;
  }

  std::map<std::uint64_t, Rest> ranges_;  // by begin
};

}  // namespace mini::recording
