// Blocks from memory that is there before anything is set up.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/size_class.h"

namespace mini::alloc {

/// Cuts blocks one after the other from a piece of memory, each with its size in the word before
/// it, as densely as glibc does. A freed block is not used again. Thread-safe and safe in a signal
/// handler: taking is one atomic exchange.
///
///   chunk: [ 8 bytes: end of the block before ][ header ][ block … ] next chunk …
///
///  Q1  header == chunk bytes | kInUse or kFreed; chunk bytes are a multiple of 16
class Pool {
 public:
  /// `memory`: zero-filled, aligned to 16.
  constexpr Pool(std::byte* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}

  /// Aligned to 16; null where it is used up.
  void* take(std::size_t bytes);
  bool contains(const void* p) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(p) - memory_) < bytes_;
  }

  enum class State : std::uint8_t { kNoBlock, kInUse, kFreed };
  /// REQUIRES: contains(p), here and below.
  State state(const void* p) const;
  /// The state that it had; only a block in use is freed.
  State free(void* p);
  /// REQUIRES: a block begins at p.
  static std::size_t usable_size(const void* p);
  /// What usable_size() is of a block that was taken for `bytes`.
  static std::size_t usable_size_for(std::size_t bytes);

  std::size_t used_bytes() const;
  const std::byte* memory() const { return memory_; }

 private:
  friend struct Inspector;

  using Header = std::atomic<std::uint64_t>;

  static constexpr std::uint64_t kInUse = 5;
  static constexpr std::uint64_t kFreed = 10;
  static constexpr std::uint64_t kStateMask = 15;

  static Header& header(const void* p) {
    return *const_cast<Header*>(static_cast<const Header*>(p) - 1);
  }
  State state_of(std::uint64_t header, const void* p) const;

  std::byte* memory_;
  std::size_t bytes_;
  std::atomic<std::size_t> taken_bytes_{0};
};

/// The first blocks of a process. A program that allocates little touches a page for each size
/// class if slabs serve it; side by side, its blocks need as few pages as glibc's. So the first few
/// of each class come from here, and slabs, thread caches and the window are set up only for a
/// program that goes on.
class FirstBlocks {
 public:
  constexpr explicit FirstBlocks(Pool& pool) : pool_(pool) {}

  Pool& pool() const { return pool_; }

  /// Null where the class has had its share.
  void* take(ClassIndex size_class, std::size_t bytes) {
    std::atomic<std::uint8_t>& taken = taken_[size_class];
    const std::uint8_t before = taken.load(std::memory_order_relaxed);
    if (before >= share(size_class)) return nullptr;
    taken.store(static_cast<std::uint8_t>(before + 1), std::memory_order_relaxed);
    return pool_.take(bytes);
  }

 private:
  // Blocks of at most a page; a few of each class, fewer of the larger.
  static constexpr std::uint32_t share(ClassIndex size_class) {
    constexpr std::uint32_t kShareBytes = 16384;
    constexpr std::uint32_t kShareBlocks = 32;
    const std::uint32_t bytes = kSizeClasses[size_class].block_bytes;
    if (bytes > kPageBytes) return 0;
    return std::clamp(kShareBytes / bytes, 1U, kShareBlocks);
  }

  Pool& pool_;
  std::array<std::atomic<std::uint8_t>, kClassCount> taken_{};
};

}  // namespace mini::alloc
