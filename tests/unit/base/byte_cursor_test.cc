// Numbers from bytes, up to their end and no further.
#include "base/byte_cursor.h"

#include <gtest/gtest.h>
#include <vector>

namespace mini {
namespace {

ByteCursor cursor_of(const std::vector<std::uint8_t>& bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return ByteCursor({begin, begin + bytes.size()});
}

TEST(ByteCursor, WhatLiesPastTheEndIsZero) {
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  ByteCursor cursor = cursor_of(bytes);
  EXPECT_EQ(cursor.take<std::uint16_t>(), 0x0201);
  EXPECT_TRUE(cursor.ok());
  EXPECT_EQ(cursor.take<std::uint16_t>(), 0);
  EXPECT_FALSE(cursor.ok());
  EXPECT_TRUE(cursor.at_end());
}

TEST(ByteCursor, Leb128) {
  const std::vector<std::uint8_t> bytes = {0x80, 0x01, 0x7f, 0x80, 0x7f, 0x80, 0x80, 0x00};
  ByteCursor cursor = cursor_of(bytes);
  EXPECT_EQ(cursor.take_uleb(), 128U);
  EXPECT_EQ(cursor.take_sleb(), -1);
  EXPECT_EQ(cursor.take_sleb(), -128);
  EXPECT_EQ(cursor.take_uleb(), 0U);  // padded
  EXPECT_TRUE(cursor.ok() && cursor.at_end());
}

TEST(ByteCursor, Leb128WithoutEnd) {
  const std::vector<std::uint8_t> bytes(1000, 0x80);
  ByteCursor cursor = cursor_of(bytes);
  EXPECT_EQ(cursor.take_uleb(), 0U);
  EXPECT_FALSE(cursor.ok());
}

}  // namespace
}  // namespace mini
