// Which blocks' records need a time of their own: those of pages that more than one ring speaks of,
// and large ones.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "wire/channel.h"

namespace mini::agent {

/// By the page that a block begins in, the ring that speaks of blocks there. Zero-filled memory is
/// a table where none does. Pages that share an entry are taken for one. Thread-safe.
///
///  P1  an entry goes from none to a ring, and from none or a ring to kShared, where it stays. A
///      ring's own goes to and fro between kLarge and not
///
/// That is what T1 of wire/record.h rests on. Let ring A tell of an address, and then ring B of the
/// same one, later in the order that the allocator gave it out. A found the entry to be its own or
/// kShared; by that order B finds this, or what came after it, hence not its own by P1: either
/// kShared, or A's, which B makes kShared. Both times needs_time() says so, and B reads the clock,
/// after A's record was there. Where it says no, all that was told of the address so far is in the
/// same ring. So relaxed accesses suffice: the allocator's own order is what makes A's visible.
///
/// Large blocks are what peaks are made of, so their order with what other rings tell is to be
/// right, too. A page's last allocation says whether that is asked for there.
class PageOwners {
 public:
  /// To be asked before each record of a block, and then obeyed.
  bool needs_time(std::uintptr_t block, std::uint32_t ring) {
    std::atomic<std::uint16_t>& entry = entry_of(block);
    const std::uint16_t own = own_entry(ring);
    std::uint16_t owner = entry.load(std::memory_order_relaxed);
    if (owner == own) [[likely]]
      return false;
    if (owner == 0 && entry.compare_exchange_strong(owner, own, std::memory_order_relaxed)) {
      return false;
    }
    const bool is_own = owner == (own | kLarge);
    if (!is_own && owner != kShared) entry.store(kShared, std::memory_order_relaxed);
    return true;
  }

  /// The same of an allocation.
  bool needs_time(std::uintptr_t block, std::uint32_t ring, std::size_t bytes) {
    const std::uint16_t owner = entry_of(block).load(std::memory_order_relaxed);
    if (owner == own_entry(ring) && bytes < kLargeBytes) [[likely]]
      return false;
    allocated(block, ring, bytes);
    return needs_time(block, ring);
  }

  /// To be told of each allocation, before that.
  void allocated(std::uintptr_t block, std::uint32_t ring, std::size_t bytes) {
    std::atomic<std::uint16_t>& entry = entry_of(block);
    const std::uint16_t own = own_entry(ring);
    const auto large = static_cast<std::uint16_t>(own | kLarge);
    const bool is_large = bytes >= kLargeBytes;
    std::uint16_t owner = entry.load(std::memory_order_relaxed);
    // Compared, lest another ring's kShared is lost.
    if (is_large ? owner == own || owner == 0 : owner == large) [[unlikely]] {
      entry.compare_exchange_strong(owner, is_large ? large : own, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::uint16_t kShared = UINT16_MAX;
  static constexpr std::uint16_t kLarge = 0x8000;
  static constexpr std::size_t kLargeBytes = 4096;
  static constexpr unsigned kPageBits = 12;
  static constexpr std::size_t kEntries = std::size_t{1} << 19;  // 2 GiB without a collision
  static_assert(wire::kRings < kLarge - 1);

  static std::uint16_t own_entry(std::uint32_t ring) {
    return static_cast<std::uint16_t>(ring + 1);
  }

  std::atomic<std::uint16_t>& entry_of(std::uintptr_t block) {
    return entries_[(block >> kPageBits) % kEntries];
  }

  std::array<std::atomic<std::uint16_t>, kEntries> entries_;
};

}  // namespace mini::agent
