// The allocator's own units: pages of its window, counted and numbered, never mixed with bytes.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace mini::alloc {

// A page is the kernel's page, or the largest that the architecture's kernels use.
#if defined(__aarch64__)
inline constexpr unsigned kPageShift = 16;
#else
inline constexpr unsigned kPageShift = 12;
#endif
inline constexpr std::size_t kPageBytes = std::size_t{1} << kPageShift;

/// What the processor maps by one entry of the second level: a huge page, and our extent.
inline constexpr std::size_t kExtentBytes = std::size_t{2} << 20;
inline constexpr std::uint32_t kExtentPages = kExtentBytes / kPageBytes;

struct PageCount {
  std::uint32_t count = 0;

  constexpr std::size_t bytes() const { return std::size_t{count} << kPageShift; }
  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return {a.count + b.count}; }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return {a.count - b.count}; }
  constexpr PageCount& operator+=(PageCount b) { return count += b.count, *this; }
  constexpr PageCount& operator-=(PageCount b) { return count -= b.count, *this; }
};

/// Whole pages of so many bytes.
constexpr PageCount pages_in(std::size_t bytes) {
  return {static_cast<std::uint32_t>(bytes / kPageBytes)};
}

/// The least number of pages that holds `bytes`. REQUIRES: they fit the window.
constexpr PageCount pages_for(std::size_t bytes) {
  return {static_cast<std::uint32_t>((bytes + kPageBytes - 1) >> kPageShift)};
}

/// The number of a page in the window; page 0 is where the heap begins.
struct PageIndex {
  std::uint32_t value = 0;

  friend constexpr auto operator<=>(PageIndex, PageIndex) = default;
  friend constexpr PageIndex operator+(PageIndex i, PageCount n) { return {i.value + n.count}; }
  friend constexpr PageIndex operator-(PageIndex i, PageCount n) { return {i.value - n.count}; }
  friend constexpr PageCount operator-(PageIndex a, PageIndex b) { return {a.value - b.value}; }
  constexpr std::uint32_t extent() const { return value / kExtentPages; }
  constexpr std::uint32_t in_extent() const { return value % kExtentPages; }
};

struct PageRun {
  PageIndex first;
  PageCount count;

  constexpr PageIndex end() const { return first + count; }
};

}  // namespace mini::alloc
