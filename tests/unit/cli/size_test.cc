#include "cli/size.h"

#include <gtest/gtest.h>

namespace mini::cli {
namespace {

std::uint64_t bytes_of(std::string_view text) {
  const auto size = parse_size(text);
  EXPECT_TRUE(size) << text;
  return size ? size->count : 0;
}

TEST(SizeTest, UnitsAreBinaryHoweverTheyAreWritten) {
  EXPECT_EQ(bytes_of("0"), 0U);
  EXPECT_EQ(bytes_of("4096"), 4096U);
  EXPECT_EQ(bytes_of("12B"), 12U);
  EXPECT_EQ(bytes_of("64K"), 65536U);
  EXPECT_EQ(bytes_of("64k"), 65536U);
  EXPECT_EQ(bytes_of("64KiB"), 65536U);
  EXPECT_EQ(bytes_of("64 kb"), 65536U);
  EXPECT_EQ(bytes_of("1.5M"), 1572864U);
  EXPECT_EQ(bytes_of("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(bytes_of("3T"), std::uint64_t{3} << 40);
  EXPECT_EQ(bytes_of("18446744073709551615"), ~std::uint64_t{0});
}

TEST(SizeTest, AFractionOfAByteIsCut) {
  EXPECT_EQ(bytes_of("0.0001K"), 0U);
  EXPECT_EQ(bytes_of("1.9999B"), 1U);
}

TEST(SizeTest, WhatIsNoSizeIsRefusedWithAnExample) {
  for (const std::string_view bad :
       {"",    "K",   "-1",   "+1",     "1.",    ".5",  "1..2", "1.2.3", "1e3", "0x10",
        "1 2", "64X", "64Ki", "64KiBB", "64  K", " 64", "64 ",  "1,5",   "nan", "inf"}) {
    const auto size = parse_size(bad);
    ASSERT_FALSE(size) << bad;
    EXPECT_NE(size.error().message.find("64K"), std::string::npos) << bad;
  }
}

TEST(SizeTest, MoreThan64BitsAreRefusedNotWrapped) {
  EXPECT_FALSE(parse_size("18446744073709551616"));
  EXPECT_FALSE(parse_size("16777216T"));
  EXPECT_FALSE(parse_size("99999999999999999999999999"));
  EXPECT_FALSE(parse_size("99999999.5T"));
}

}  // namespace
}  // namespace mini::cli
