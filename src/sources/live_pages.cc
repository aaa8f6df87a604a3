#include "sources/live_pages.h"

#include <algorithm>

namespace mini::sources {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

}  // namespace

void LivePages::add(Address address, std::uint64_t bytes, std::uint32_t stack) {
  const std::uint64_t begin = address.value;
  const std::uint64_t size = std::min(std::max<std::uint64_t>(bytes, 1), UINT64_MAX - begin);
  ranges_.push_back(
      {.first = begin / kPageBytes, .last = (begin + size - 1) / kPageBytes, .stack = stack});
}

void LivePages::finish() {
  std::ranges::sort(ranges_, {}, &Range::first);
  const auto count = [](const Range& range, std::uint64_t& next) {
    const std::uint64_t first = std::max(range.first, next);
    next = std::max(next, range.last + 1);
    return next - std::min(first, next);
  };
  std::uint64_t next = 0;
  for (const Range& range : ranges_) {
    all_ += count(range, next);
    Stack& stack = of_stack_[range.stack];
    stack.pages += count(range, stack.next);
  }
  ranges_ = {};
}

}  // namespace mini::sources
