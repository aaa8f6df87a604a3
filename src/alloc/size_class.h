// Size classes: which sizes small blocks have, and which one a request gets.
//
//  C1  class_of(n) is the class with the least block size >= n, for every n <= kLargestSmall
//  C2  every block size is a multiple of 16, so every block of 16 bytes or more is aligned to 16
//  C3  the waste of rounding up is at most 1/8 of a block above 128 bytes, 15 bytes below
//  C4  the pages of a slab of any size hold >= 1 block, <= kMostBlocks, and waste at most 1/16
//
// Sizes go up by 16 to 128, then by eighths of each doubling; after 1, 2 and 4 KiB comes one size
// more, for buffers with a header. All of it is computed by the compiler and lies in read-only
// data.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "alloc/pages.h"

namespace mini::alloc {

inline constexpr std::size_t kGranule = 16;
inline constexpr std::size_t kLargestSmall = std::size_t{32} << 10;
inline constexpr std::uint32_t kMostBlocks = 256;  // of a slab: its bitmap has four words
inline constexpr std::uint32_t kMostSlabPages = 32;

/// Index of a size class; 0 is none.
using ClassIndex = std::uint8_t;

namespace detail {

inline constexpr std::size_t kFineTo = 128;
inline constexpr unsigned kStepsPerDoubling = 8;

// Programs put headers before buffers whose length is a power of two: sqlite's pages are of 4,368
// bytes. The largest blocks of which eleven fill as much as twelve buffers alone; the next size in
// eighths would be nine for eight.
constexpr std::size_t kLeastBuffer = 1024;
constexpr std::size_t kMostBuffer = 4096;

constexpr std::size_t with_header(std::size_t buffer_bytes) {
  return buffer_bytes * 12 / 11 / kGranule * kGranule;
}

constexpr std::size_t next_block_bytes(std::size_t bytes) {
  if (bytes < kFineTo) return bytes + kGranule;
  std::size_t power = kFineTo;
  while (power * 2 <= bytes) power *= 2;
  if (power >= kLeastBuffer && power <= kMostBuffer) {
    if (bytes == power) return with_header(power);
    if (bytes == with_header(power)) return power + power / kStepsPerDoubling;
  }
  return bytes + power / kStepsPerDoubling;
}

constexpr std::uint32_t count_classes() {
  std::uint32_t count = 1;
  for (std::size_t bytes = kGranule; bytes <= kLargestSmall; bytes = next_block_bytes(bytes)) {
    ++count;
  }
  return count;
}

}  // namespace detail

inline constexpr std::uint32_t kClassCount = detail::count_classes();  // class 0 included
static_assert(kClassCount <= 120, "page map entries keep codes from 120 on for other uses");

struct SizeClass {
  std::uint32_t block_bytes = 0;
  std::uint8_t least_pages = 0;   // of a slab
  std::uint8_t most_pages = 0;    // of a slab, once the class is in demand
  std::uint16_t cached_most = 0;  // blocks that one thread keeps at most
};

namespace detail {

constexpr std::uint32_t blocks_in(std::uint32_t pages, std::size_t block_bytes) {
  const auto blocks = static_cast<std::uint32_t>(pages * kPageBytes / block_bytes);
  return blocks < kMostBlocks ? blocks : kMostBlocks;
}

// What is left of so many pages behind the last block.
constexpr std::size_t waste(std::uint32_t pages, std::size_t block_bytes) {
  return pages * kPageBytes - blocks_in(pages, block_bytes) * block_bytes;
}

// The fewest pages from `from` on that waste at most 1/16; the least wasteful where none does.
constexpr std::uint8_t slab_pages(std::size_t block_bytes, std::uint32_t from) {
  std::uint32_t best = 0;
  for (std::uint32_t pages = from; pages <= kMostSlabPages; ++pages) {
    if (blocks_in(pages, block_bytes) == 0) continue;
    const std::size_t wasted = waste(pages, block_bytes);
    if (wasted * 16 <= pages * kPageBytes) return static_cast<std::uint8_t>(pages);
    // The shares of the pages, both sides times both numbers of pages.
    if (best == 0 || wasted * best < waste(best, block_bytes) * pages) best = pages;
  }
  return static_cast<std::uint8_t>(best);
}

// Of a slab in demand: 8 KiB, less where that is more blocks than a slab may have, more where it
// would be no block. Larger slabs are taken more seldom, but a block in use keeps all of its slab,
// and fewer gaps between such slabs are long enough for another. Up to half as much again where
// that wastes less.
constexpr std::uint8_t pages_in_demand(std::size_t block_bytes) {
  const std::size_t wanted = std::min(block_bytes * kMostBlocks, std::size_t{8} << 10);
  const auto least = static_cast<std::uint32_t>(std::max(wanted, kPageBytes) / kPageBytes);
  const std::uint32_t first = slab_pages(block_bytes, least);
  std::uint32_t best = first;
  for (std::uint32_t pages = first; pages <= std::min(first + first / 2, kMostSlabPages); ++pages) {
    if (waste(pages, block_bytes) * best < waste(best, block_bytes) * pages) best = pages;
  }
  return static_cast<std::uint8_t>(best);
}

constexpr std::uint16_t cached_most(std::size_t block_bytes) {
  constexpr std::size_t kBytes = std::size_t{64} << 10;
  const std::size_t blocks = kBytes / block_bytes;
  return static_cast<std::uint16_t>(blocks < 2 ? 2 : blocks > 256 ? 256 : blocks);
}

constexpr auto make_classes() {
  std::array<SizeClass, kClassCount> classes{};
  std::size_t bytes = kGranule;
  for (std::uint32_t i = 1; i < kClassCount; ++i, bytes = next_block_bytes(bytes)) {
    classes[i] = {.block_bytes = static_cast<std::uint32_t>(bytes),
                  .least_pages = slab_pages(bytes, 1),
                  .most_pages = pages_in_demand(bytes),
                  .cached_most = cached_most(bytes)};
  }
  return classes;
}

}  // namespace detail

inline constexpr std::array<SizeClass, kClassCount> kSizeClasses = detail::make_classes();

namespace detail {

constexpr auto make_class_of() {
  std::array<ClassIndex, kLargestSmall / kGranule + 1> table{};
  ClassIndex index = 1;
  for (std::size_t granules = 0; granules < table.size(); ++granules) {
    if (granules * kGranule > kSizeClasses[index].block_bytes) ++index;
    table[granules] = index;
  }
  return table;
}

}  // namespace detail

inline constexpr auto kClassOf = detail::make_class_of();

/// REQUIRES: bytes <= kLargestSmall.
constexpr ClassIndex class_of(std::size_t bytes) {
  return kClassOf[(bytes + kGranule - 1) / kGranule];
}

/// The class of the smallest blocks of `bytes` that are aligned to a power of two; kClassCount
/// where there is none. Slabs begin at a page, so blocks are aligned to what divides their size and
/// the page's.
constexpr ClassIndex aligned_class(std::size_t alignment, std::size_t bytes) {
  const std::size_t least = bytes < alignment ? alignment : bytes;
  if (alignment <= kGranule && bytes <= kLargestSmall) return class_of(bytes);
  if (alignment > kPageBytes || least > kLargestSmall) return kClassCount;
  ClassIndex size_class = class_of(least);
  while (size_class < kClassCount && kSizeClasses[size_class].block_bytes % alignment != 0) {
    ++size_class;
  }
  return size_class;
}

/// Divides an offset in a slab by its block size, exactly, by one multiplication. With
/// size == odd * 2^shift and inverse * odd == 1 (mod 2^32),
///
///   q = rotate_right(offset * inverse mod 2^32, shift)
///
/// is offset / size where size divides offset, and more than (2^32 - 1) / size, so more than any
/// slab has blocks, where it does not (Granlund and Montgomery 1994, section 9).
struct BlockDivisor {
  std::uint32_t inverse = 0;
  std::uint16_t block_count = 0;  // of the largest slab; 0 for what is no class: no offset is one
  std::uint8_t shift = 0;

  constexpr std::uint32_t quotient(std::uint32_t offset) const {
    return std::rotr(offset * inverse, shift);
  }
  /// Whether a block may begin there, in the largest slab of the class.
  constexpr bool starts_block(std::uint32_t offset) const { return quotient(offset) < block_count; }
};

namespace detail {

constexpr BlockDivisor make_divisor(const SizeClass& size_class) {
  BlockDivisor divisor{.block_count = static_cast<std::uint16_t>(
                           blocks_in(size_class.most_pages, size_class.block_bytes))};
  divisor.shift = static_cast<std::uint8_t>(std::countr_zero(size_class.block_bytes));
  const std::uint32_t odd = size_class.block_bytes >> divisor.shift;
  divisor.inverse = odd;  // right in 3 bits; each step of Newton's doubles them
  for (int i = 0; i < 4; ++i) divisor.inverse *= 2 - odd * divisor.inverse;
  return divisor;
}

}  // namespace detail

/// By size class, and by what else a page may be (page_map.h): those have none.
inline constexpr auto kDivisors = [] {
  std::array<BlockDivisor, 256> table{};
  for (std::uint32_t i = 1; i < kClassCount; ++i) table[i] = detail::make_divisor(kSizeClasses[i]);
  return table;
}();

}  // namespace mini::alloc
