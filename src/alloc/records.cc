// Bump allocation at the end of the window's records, and a list of returned ones for each size.
#include "alloc/records.h"

#include <bit>
#include <cstring>

namespace mini::alloc {
namespace {

constexpr std::uint32_t size_index(std::size_t bytes, std::size_t least) {
  return bytes <= least ? 0 : static_cast<std::uint32_t>(std::bit_width((bytes - 1) / least));
}

}  // namespace

void* Records::take(std::size_t bytes) {
  const std::uint32_t index = size_index(bytes, kLeast);
  if (index >= kSizes) return nullptr;
  const std::size_t size = kLeast << index;
  const Locked locked(lock_);
  if (Free* const record = free_[index]; record != nullptr) {
    free_[index] = record->next;
    return std::memset(record, 0, size);
  }
  if (!window_.reach_records(used_bytes_ + size)) return nullptr;
  void* const record = window_.records() + used_bytes_;
  used_bytes_ += size;
  return record;
}

void Records::put(void* record, std::size_t bytes) {
  const std::uint32_t index = size_index(bytes, kLeast);
  const Locked locked(lock_);
  auto* const free = static_cast<Free*>(record);
  free->next = free_[index];
  free_[index] = free;
}

}  // namespace mini::alloc
