// What a user may choose about the allocator. The defaults are what measurements chose.
#pragma once

#include <atomic>
#include <cstddef>

namespace mini::alloc {

enum class HugePageUse : std::size_t {
  kAuto,    // where they cost little memory
  kNever,   // not even where the system makes them unasked
  kAlways,  // from the first extent on
};

/// What a free with a wrong size comes to.
enum class WrongSizes : std::size_t {
  kAbort,
  kWarn,  // the first one is said, and all free the block as it is
};

/// Read while the allocator works, by any thread: a change holds from the next decision on.
struct Options {
  static constexpr std::size_t kByDefault = ~std::size_t{0};

  /// Free memory that is kept for reuse, in all; kByDefault: in proportion to what is used.
  std::atomic<std::size_t> retained_bytes{kByDefault};
  /// What one thread may cache beyond a few blocks of each size; kByDefault: in proportion to the
  /// heap.
  std::atomic<std::size_t> thread_cache_bytes{kByDefault};
  /// A HugePageUse.
  std::atomic<std::size_t> huge_pages{0};
  /// A WrongSizes.
  std::atomic<std::size_t> wrong_sizes{0};

  HugePageUse huge_page_use() const {
    return static_cast<HugePageUse>(huge_pages.load(std::memory_order_relaxed));
  }
  bool forgives_wrong_sizes() const {
    return static_cast<WrongSizes>(wrong_sizes.load(std::memory_order_relaxed)) ==
           WrongSizes::kWarn;
  }
};

/// The process's own.
inline constinit Options g_options;

}  // namespace mini::alloc
