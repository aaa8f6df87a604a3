#include "base/text.h"

#include <gtest/gtest.h>

namespace mini {
namespace {

TEST(TextTest, BytesTakeTheLargestUnitThatKeepsThemAboveOne) {
  EXPECT_EQ(format_bytes(Bytes{0}), "0 B");
  EXPECT_EQ(format_bytes(Bytes{1023}), "1023 B");
  EXPECT_EQ(format_bytes(Bytes{1024}), "1 KiB");
  EXPECT_EQ(format_bytes(Bytes{0x21000}), "132 KiB");
  EXPECT_EQ(format_bytes(Bytes{1024 * 1024 - 52}), "1023.9 KiB");
  EXPECT_EQ(format_bytes(Bytes{1024 * 1024 - 51}), "1 MiB");
  EXPECT_EQ(format_bytes(Bytes{1024 * 1024 - 1}), "1 MiB");
  EXPECT_EQ(format_bytes(Bytes{1536 * 1024}), "1.5 MiB");
  EXPECT_EQ(format_bytes(Bytes{~std::uint64_t{0}}), "16 EiB");
}

TEST(TextTest, ExactFormSaysTheNumberOnceBelowOneKiB) {
  EXPECT_EQ(format_bytes_exact(Bytes{1}), "1 byte");
  EXPECT_EQ(format_bytes_exact(Bytes{656}), "656 bytes");
  EXPECT_EQ(format_bytes_exact(Bytes{0x21000}), "132 KiB (135168 bytes)");
}

TEST(TextTest, CountsAreGroupedByThree) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

TEST(TextTest, PercentSaysOfALittleThatItIsNotNothing) {
  EXPECT_EQ(format_percent(1, 8), "12.5%");
  EXPECT_EQ(format_percent(0, 8), "0.0%");
  EXPECT_EQ(format_percent(4, 10'000), "<0.1%");
  EXPECT_EQ(format_percent(5, 10'000), "0.1%");
  EXPECT_EQ(format_percent(-4, 10'000), ">-0.1%");
  EXPECT_EQ(format_percent(-1, 8), "-12.5%");
  EXPECT_EQ(format_percent(3, 0), "-");
}

TEST(TextTest, BasenameOfAPathWithoutSlashIsItself) {
  EXPECT_EQ(path_basename("/lib/x86_64-linux-gnu/libc.so.6"), "libc.so.6");
  EXPECT_EQ(path_basename("[vdso]"), "[vdso]");
  EXPECT_EQ(path_basename("/"), "");
}

TEST(TextTest, LinesAreTakenWithoutTheirNewlines) {
  std::string_view text = "one\n\ntwo";
  EXPECT_EQ(take_line(text), "one");
  EXPECT_EQ(take_line(text), "");
  EXPECT_EQ(take_line(text), "two");
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace mini
