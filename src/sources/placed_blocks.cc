#include "sources/placed_blocks.h"

#include <new>

#include "recording/format.h"

namespace mini::sources {
namespace {

constexpr std::size_t kPlaces = recording::kMaxEvents + 1;

template <typename T>
T* room(std::size_t alignment) {
  void* const memory = std::aligned_alloc(alignment, kPlaces * sizeof(T));
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

}  // namespace

PlacedBlocks::PlacedBlocks()
    : blocks_(room<LiveBlock>(kLineBytes)), addresses_(room<Address>(kLineBytes)) {}

void PlacedBlocks::meet(std::span<const recording::HeapEvent> events) {
  const std::uint32_t known_before = known_count_;
  for (const recording::HeapEvent& event : events) {
    __builtin_prefetch(&blocks_[event.place], 1);
    if (event.place > known_count_) [[unlikely]]
      add(event.place, event.address);
  }
  for (std::uint32_t place = known_before + 1; place <= known_count_; ++place) {
    blocks_[place] = table_.take(addresses_[place]);
  }
}

/// A sound recording leaves no place out; one that is left out is at the same address.
inline void PlacedBlocks::add(Place place, Address address) {
  while (known_count_ < place) addresses_[++known_count_] = address;
  table_.prefetch(address);
}

}  // namespace mini::sources
