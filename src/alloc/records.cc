// Bump allocation at the end of the window's records, and a list of returned ones for each size.
#include "alloc/records.h"

#include <bit>
#include <cstring>
#include <new>

#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

constexpr std::uint32_t size_index(std::size_t bytes, std::size_t least) {
  return bytes <= least ? 0 : static_cast<std::uint32_t>(std::bit_width((bytes - 1) / least));
}

// Of the pages behind the one that holds the link to the next.
PageCount release(void* record, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(record);
  const std::uintptr_t first = (begin | (kPageBytes - 1)) + 1;
  const PageCount inside = pages_in(begin + bytes - first);
  const bool done = kernel::vm::discard(reinterpret_cast<void*>(first), inside.bytes());
  return done ? inside : PageCount{};
}

}  // namespace

void* Records::take(std::size_t bytes) {
  const std::uint32_t index = size_index(bytes, kLeast);
  if (index >= kSizes) return nullptr;
  const std::size_t record_bytes = kLeast << index;
  const Locked locked(lock_);
  if (Free* const record = free_[index]; record != nullptr) {
    free_[index] = record->next;
    return std::memset(record, 0, record_bytes);
  }
  if (!window_.reach_records(used_bytes_ + record_bytes)) return nullptr;
  void* const record = window_.records() + used_bytes_;
  used_bytes_ += record_bytes;
  return record;
}

void Records::put(void* record, std::size_t bytes) {
  const std::uint32_t index = size_index(bytes, kLeast);
  const Locked locked(lock_);
  free_[index] = new (record) Free{.next = free_[index], .released = false};
}

PageCount Records::release_free() {
  PageCount released;
  const Locked locked(lock_);
  for (std::uint32_t index = size_index(2 * kPageBytes, kLeast); index < kSizes; ++index) {
    for (Free* free = free_[index]; free != nullptr && !free->released; free = free->next) {
      released += release(free, kLeast << index);
      free->released = true;
    }
  }
  return released;
}

}  // namespace mini::alloc
