#include "support/address_ranges.h"

#include <iterator>

namespace mini::test {
namespace {

std::byte* key(const std::byte* at) {
  return const_cast<std::byte*>(at);
}

}  // namespace

bool AddressRanges::is_free(const std::byte* at, std::size_t bytes) const {
  const auto after = ranges_.lower_bound(key(at + bytes));
  if (after == ranges_.begin()) return true;
  const auto& [begin, range] = *std::prev(after);
  return begin + range.bytes <= at;
}

bool AddressRanges::is_all(Use use, const std::byte* at, std::size_t bytes) const {
  const std::byte* const end = at + bytes;
  auto it = ranges_.upper_bound(key(at));
  if (it == ranges_.begin()) return false;
  for (--it; it != ranges_.end() && it->first <= at; ++it) {
    const std::byte* const range_end = it->first + it->second.bytes;
    if (it->second.use != use || range_end <= at) return false;
    at = range_end;
    if (at >= end) return true;
  }
  return false;
}

void AddressRanges::set(std::byte* at, std::size_t bytes, Use use) {
  erase(at, bytes);
  const auto next = ranges_.find(at + bytes);
  if (next != ranges_.end() && next->second.use == use) {
    bytes += next->second.bytes;
    ranges_.erase(next);
  }
  const auto after = ranges_.lower_bound(at);
  if (after != ranges_.begin()) {
    auto& [begin, range] = *std::prev(after);
    if (range.use == use && begin + range.bytes == at) {
      range.bytes += bytes;
      return;
    }
  }
  ranges_[at] = {.bytes = bytes, .use = use};
}

void AddressRanges::erase(std::byte* at, std::size_t bytes) {
  split(at);
  split(at + bytes);
  ranges_.erase(ranges_.lower_bound(at), ranges_.lower_bound(at + bytes));
}

// Sees to it that a range begins at `at`, where one contains it.
void AddressRanges::split(std::byte* at) {
  auto it = ranges_.upper_bound(at);
  if (it == ranges_.begin()) return;
  auto& [begin, range] = *--it;
  if (begin == at || begin + range.bytes <= at) return;
  const auto before = static_cast<std::size_t>(at - begin);
  ranges_[at] = {.bytes = range.bytes - before, .use = range.use};
  range.bytes = before;
}

std::size_t AddressRanges::bytes(Use use) const {
  std::size_t sum = 0;
  for (const auto& [at, range] : ranges_) sum += range.use == use ? range.bytes : 0;
  return sum;
}

}  // namespace mini::test
