// Which columns are searched for matches.
#include "recording/column_compressor.h"

#include <gtest/gtest.h>
#include <random>

namespace mini::recording {
namespace {

constexpr std::size_t kColumnBytes = 60'000;

class ColumnCompressorTest : public testing::Test {
 protected:
  /// Of a block; reads it back, and returns how many bytes it took.
  std::size_t append(const ByteVector& column) {
    ByteVector out{1, 2, 3};
    const std::size_t bytes = compressor_.append(Column::kStacks, column, out);
    EXPECT_EQ(out.size(), bytes + 3);
    const ByteSpan stored = ByteSpan(out).subspan(3);
    ByteVector read(column.size());
    if (bytes == column.size()) {
      read.assign(stored.begin(), stored.end());
    } else {
      EXPECT_TRUE(Decompressor().fill(stored, read));
    }
    EXPECT_EQ(read, column);
    return bytes;
  }

  /// Of two bits each.
  ByteVector random_numbers() {
    ByteVector column(kColumnBytes);
    for (std::uint8_t& byte : column) byte = static_cast<std::uint8_t>(random_() >> 8U & 3U);
    return column;
  }

  /// The same thousand of them again and again.
  ByteVector repeated_numbers() {
    ByteVector column = random_numbers();
    for (std::size_t i = 1000; i < column.size(); ++i) column[i] = column[i - 1000];
    return column;
  }

 private:
  ColumnCompressor compressor_;
  std::mt19937 random_;
};

TEST_F(ColumnCompressorTest, RandomNumbersTakeTheirBits) {
  for (int block = 0; block < 40; ++block) {
    EXPECT_LT(append(random_numbers()), kColumnBytes / 4 + kColumnBytes / 100);
  }
}

TEST_F(ColumnCompressorTest, RepeatedNumbersTakeNextToNothing) {
  for (int block = 0; block < 40; ++block) {
    EXPECT_LT(append(repeated_numbers()), kColumnBytes / 50);
  }
}

TEST_F(ColumnCompressorTest, AProgramThatChangesIsFoundOut) {
  for (int block = 0; block < 100; ++block) append(random_numbers());
  for (int block = 0; block < 16; ++block) append(repeated_numbers());
  EXPECT_LT(append(repeated_numbers()), kColumnBytes / 50);
}

TEST_F(ColumnCompressorTest, WhatCannotBeShorterStaysAsItIs) {
  EXPECT_EQ(append({}), 0U);
  EXPECT_EQ(append({7}), 1U);
  ByteVector column(kColumnBytes);
  std::mt19937 random;
  for (std::uint8_t& byte : column) byte = static_cast<std::uint8_t>(random() >> 8U);
  EXPECT_EQ(append(column), kColumnBytes);
}

}  // namespace
}  // namespace mini::recording
