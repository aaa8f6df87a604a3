// heapspy's operator new, which this program has too.
#include <array>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <new>

#include "kernel/own_heap.h"

namespace mini::cli {
namespace {

TEST(OperatorNewTest, LargeBlocksBeginWhereAHugePageDoes) {
  for (const std::size_t bytes : std::to_array<std::size_t>(
           {kernel::kHugePage, kernel::kHugePage + 1, 5 * kernel::kHugePage / 2})) {
    void* const block = ::operator new(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % kernel::kHugePage, 0U) << bytes;
    ::operator delete(block, bytes);
  }
}

TEST(OperatorNewTest, AnAlignmentIsKept) {
  constexpr std::align_val_t kAlignment{4 * kernel::kHugePage};
  for (const std::size_t bytes : std::to_array<std::size_t>({1, kernel::kHugePage})) {
    void* const block = ::operator new(bytes, kAlignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % static_cast<std::size_t>(kAlignment), 0U);
    ::operator delete(block, bytes, kAlignment);
  }
}

TEST(OperatorNewTest, WhatCannotBeThrows) {
  volatile std::size_t bytes = SIZE_MAX / 2;
  EXPECT_THROW(::operator delete(::operator new(bytes)), std::bad_alloc);
  bytes = SIZE_MAX;  // rounded up it would be 0
  EXPECT_THROW(::operator delete(::operator new(bytes, std::align_val_t{64})), std::bad_alloc);
}

}  // namespace
}  // namespace mini::cli
