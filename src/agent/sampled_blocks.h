// Which live blocks were recorded, where only some are: so that the others' frees cost one look.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mini::agent {

/// Addresses of live blocks, added and taken by any thread without a lock. Zero-filled memory is an
/// empty set; a fork wipes it, and the child has an empty one.
///
///  S1  counts_[i] >= the addresses in the set whose part is i: 0 says that an address is not there
///  S2  an address is in at most one slot, within kWindow of its place in one of the levels
///
/// A block has one owner, who alone adds its address after it was got and takes it before it is
/// given back; whoever gets the same address next does so after that, in the allocator's order. So
/// relaxed accesses of counts and slots suffice: no two threads speak of one address at once.
class SampledBlocks {
 public:
  /// Nearly always false for a block that was not recorded.
  bool may_hold(const void* block) const {
    return counts_[part_of(block)].load(std::memory_order_relaxed) != 0;
  }
  /// False where there is no memory for it.
  bool add(const void* block);
  /// Whether it was there.
  bool take(const void* block);

 private:
  using Slot = std::atomic<std::uintptr_t>;
  static constexpr unsigned kPartBits = 10;  // 1 KiB: what a program frees in turn has few counts
  static constexpr unsigned kLeastLevelBits = 9;  // a page of slots; each level has twice as many
  static constexpr unsigned kLevels = 18;
  static constexpr std::size_t kWindow = 8;  // a cache line

  static std::uint64_t hash(const void* block) {
    return (reinterpret_cast<std::uintptr_t>(block) >> 4) * 0x9e37'79b9'7f4a'7c15U;
  }
  /// Parts of the address space; those that are 64 MiB apart share a count.
  static std::uint16_t part_of(const void* block) {
    return static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(block) >> kPartBits);
  }
  static std::size_t window_of(std::uint64_t hash, unsigned level) {
    return (hash >> 8 & ((std::uint64_t{1} << (kLeastLevelBits + level)) - 1)) & ~(kWindow - 1);
  }
  Slot* level(unsigned number);

  std::atomic<std::uint16_t> counts_[std::size_t{UINT16_MAX} + 1];
  std::atomic<Slot*> levels_[kLevels];
};

/// The set; where all are recorded, one that is empty, so that whoever frees a block need not ask
/// whether there is one. Hidden: an access is one instruction.
extern constinit std::atomic<SampledBlocks*> g_sampled_blocks [[gnu::visibility("hidden")]];
extern constinit SampledBlocks g_no_sampled_blocks [[gnu::visibility("hidden")]];

inline bool is_sampling() {
  return g_sampled_blocks.load(std::memory_order_relaxed) != &g_no_sampled_blocks;
}
/// Null where all are recorded.
inline SampledBlocks* sampled_blocks() {
  SampledBlocks* const sampled = g_sampled_blocks.load(std::memory_order_relaxed);
  return sampled != &g_no_sampled_blocks ? sampled : nullptr;
}

}  // namespace mini::agent
