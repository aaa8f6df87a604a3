#include "sources/placed_blocks.h"

#include <new>

#include "recording/format.h"

namespace mini::sources {
namespace {

/// For places from 0 on, and for one behind the last.
template <typename T>
T* room(std::size_t alignment) {
  constexpr std::size_t kLeastBytes = (recording::kMaxEvents + std::size_t{2}) * sizeof(T);
  const std::size_t bytes = (kLeastBytes + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

}  // namespace

PlacedBlocks::PlacedBlocks()
    : blocks_(room<LiveBlock>(kLineBytes)), addresses_(room<Address>(kLineBytes)) {}

// Which events bring a new place nobody can foresee: so that is no branch. A sound recording leaves
// none out; one that is left out gets the address of the next.
std::span<const Address> PlacedBlocks::meet(std::span<const recording::HeapEvent> events) {
  const std::uint32_t known_before = known_count_;
  std::uint32_t known = known_before;
  for (const recording::HeapEvent& event : events) {
    __builtin_prefetch(&blocks_[event.place], 1);
    if (event.place > known + 1) [[unlikely]] {
      for (; known + 1 < event.place; ++known) addresses_[known + 1] = event.address;
    }
    addresses_[known + 1] = event.address;
    known += static_cast<std::uint32_t>(event.place > known);
  }
  known_count_ = known;
  for (std::uint32_t place = known_before + 1; place <= known; ++place) {
    table_.prefetch(addresses_[place]);
  }
  for (std::uint32_t place = known_before + 1; place <= known; ++place) {
    blocks_[place] = table_.take(addresses_[place]);
  }
  return {&addresses_[known_before + 1], known - known_before};
}

}  // namespace mini::sources
