// What each page of the window is part of: the one table that free() reads.
#pragma once

#include <atomic>
#include <cstdint>

#include "alloc/size_class.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {

/// Two bytes a page: a code, and which page of its slab this is.
///
/// An entry is written before a block of its page is handed out and after all came back, so the
/// thread that frees a block reads what belongs to it: the hand-over that gave it the pointer
/// orders the two. A pointer that is not ours may meet a write: any answer will do then.
struct PageEntry {
  std::uint8_t code = 0;
  std::uint8_t page_of_slab = 0;
};

/// Codes of pages that are no part of a slab; those below kClassCount are size classes.
inline constexpr std::uint8_t kCodeNone = 0;
inline constexpr std::uint8_t kCodeLarge = 120;  // first page of a large block
/// Set beside the code where the block belongs to a heap that the program made: no thread caches
/// it.
inline constexpr std::uint8_t kCodeOwnHeap = 0x80;

class PageMapEntry {
 public:
  PageEntry load() const {
    const std::uint16_t word = word_.load(std::memory_order_relaxed);
    return {static_cast<std::uint8_t>(word), static_cast<std::uint8_t>(word >> 8)};
  }
  void store(PageEntry entry) {
    word_.store(static_cast<std::uint16_t>(entry.code | entry.page_of_slab << 8),
                std::memory_order_relaxed);
  }
  /// Whether it was a large block's; it is nobody's now. Of two threads that ask at once, one is
  /// told so.
  bool clear_large() {
    std::uint16_t word = kCodeLarge;
    if (!kernel::vm::is_only_thread()) {
      return word_.compare_exchange_strong(word, kCodeNone, std::memory_order_relaxed);
    }
    if (load().code != kCodeLarge) return false;
    store({});
    return true;
  }

 private:
  std::atomic<std::uint16_t> word_{0};
};
static_assert(sizeof(PageMapEntry) == 2);

}  // namespace mini::alloc
