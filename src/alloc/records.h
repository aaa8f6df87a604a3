// Memory for what describes the heap: thread caches, their stacks, depots, heaps. Reused by size;
// of what is not in use whole pages can go back to the kernel.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "alloc/lock.h"
#include "alloc/pages.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Thread-safe. Sizes are rounded up to powers of two from 64 bytes on, and so is the alignment, up
/// to 64.
class Records {
 public:
  explicit constexpr Records(Window& window) : window_(window) {}

  /// Zero-filled; null where there is no memory.
  void* take(std::size_t bytes);
  /// REQUIRES: bytes is what was asked for.
  void put(void* record, std::size_t bytes);
  /// Gives back the memory of whole pages inside records that have been put; says of how many.
  PageCount release_free();

  std::size_t used_bytes() const { return used_bytes_; }
  Lock& lock() { return lock_; }

 private:
  struct Free {
    Free* next;
    bool released;  // and so are all behind it
  };
  static constexpr std::size_t kLeast = 64;
  static constexpr std::uint32_t kSizes = 16;  // up to 2 MiB

  Lock lock_{LockRank::kRecords};
  Window& window_;
  std::array<Free*, kSizes> free_{};
  std::size_t used_bytes_ = 0;  // from the begin of the window's part for records
};

}  // namespace mini::alloc
