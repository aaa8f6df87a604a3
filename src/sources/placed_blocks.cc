#include "sources/placed_blocks.h"

#include <new>

#include "recording/format.h"

namespace mini::sources {
namespace {

/// For places from 0 on.
template <typename T>
T* room(std::size_t alignment) {
  constexpr std::size_t kLeastBytes = (recording::kMaxEvents + std::size_t{1}) * sizeof(T);
  const std::size_t bytes = (kLeastBytes + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

}  // namespace

PlacedBlocks::PlacedBlocks()
    : blocks_(room<LiveBlock>(kLineBytes)), addresses_(room<Address>(kLineBytes)) {}

void PlacedBlocks::meet(std::span<const Address> new_places) {
  for (const Address address : new_places) table_.prefetch(address);
  for (const Address address : new_places) {
    ++known_count_;
    addresses_[known_count_] = address;
    blocks_[known_count_] = table_.take(address);
  }
}

}  // namespace mini::sources
