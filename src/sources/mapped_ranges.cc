#include "sources/mapped_ranges.h"

#include <algorithm>
#include <iterator>

namespace mini::sources {
namespace {

// The kernel maps whole pages, whatever size it was asked for.
constexpr std::uint64_t kPage = 4096;

std::uint64_t end_of(Address begin, Bytes size) {
  const std::uint64_t whole =
      size.count > UINT64_MAX - kPage ? size.count : (size.count + kPage - 1) / kPage * kPage;
  return whole > UINT64_MAX - begin.value ? UINT64_MAX : begin.value + whole;
}

}  // namespace

void MappedRanges::unmap(Address begin, Bytes size, const Gone& gone) {
  const std::uint64_t end = end_of(begin, size);
  auto range = ranges_.upper_bound(begin.value);
  if (range != ranges_.begin() && std::prev(range)->second.end > begin.value) --range;
  while (range != ranges_.end() && range->first < end) {
    const auto [first, rest] = *range;
    const std::uint64_t from = std::max(first, begin.value);
    const std::uint64_t until = std::min(rest.end, end);
    gone(rest.owner, Bytes{until - from});
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

void MappedRanges::map(Address begin, Bytes size, std::uint32_t owner, const Gone& gone) {
  unmap(begin, size, gone);
  const std::uint64_t end = end_of(begin, size);
  if (end > begin.value) ranges_[begin.value] = {.end = end, .owner = owner};
}

Bytes MappedRanges::size_at(Address begin) const {
  const auto range = ranges_.find(begin.value);
  return range == ranges_.end() ? Bytes{} : Bytes{range->second.end - begin.value};
}

std::uint32_t MappedRanges::owner_of(Address address) const {
  const auto after = ranges_.upper_bound(address.value);
  if (after == ranges_.begin()) return 0;
  const Rest& rest = std::prev(after)->second;
  return address.value < rest.end ? rest.owner : 0;
}

}  // namespace mini::sources
