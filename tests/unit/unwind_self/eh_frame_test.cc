// Finding entries in hand-made sections, and in cut and damaged ones.
#include "unwind/self/eh_frame.h"

#include <gtest/gtest.h>
#include <random>

#include "eh_frame_bytes.h"

namespace mini::unwind::self {
namespace {

// DW_CFA_def_cfa_offset.
Bytes cfa_offset(std::uint8_t offset) {
  return {0x0e, offset};
}

const std::vector<Code> kThree = {
    {0x1000, 0x10, cfa_offset(16)}, {0x1010, 0x20, cfa_offset(24)}, {0x2000, 0x10, cfa_offset(32)}};

Row row_at(const Bytes& bytes, std::uintptr_t offset) {
  // A copy of exactly that size, so that a sanitizer sees the first byte read past its end.
  const Bytes exact(bytes.begin(), bytes.end());
  const EhFrame sections = sections_of(exact);
  return compile_row(sections, sections.header + offset);
}

TEST(EhFrameTest, FindsTheEntryOfEachAddress) {
  for (const std::uint8_t table_encoding : Bytes{0x3b, 0xff}) {  // with a table, and without
    const Bytes bytes = make_sections({.table_encoding = table_encoding}, kThree);
    EXPECT_EQ(row_at(bytes, 0x1000), Row::make(RowKind::kSp, 16));
    EXPECT_EQ(row_at(bytes, 0x100f), Row::make(RowKind::kSp, 16));
    EXPECT_EQ(row_at(bytes, 0x1010), Row::make(RowKind::kSp, 24));
    EXPECT_EQ(row_at(bytes, 0x102f), Row::make(RowKind::kSp, 24));
    EXPECT_EQ(row_at(bytes, 0x200f), Row::make(RowKind::kSp, 32));
    for (const std::uintptr_t outside : {0xfffU, 0x1030U, 0x1fffU, 0x2010U, 0U}) {
      EXPECT_EQ(row_at(bytes, outside).kind(), RowKind::kFramePointer) << outside;
    }
  }
}

TEST(EhFrameTest, AnEntryOfNoCodeDoesNotHideAnother) {
  const Bytes bytes =
      make_sections({}, {{0x1000, 0x10, cfa_offset(16)}, {0x1000, 0, cfa_offset(24)}});
  EXPECT_EQ(row_at(bytes, 0x1000), Row::make(RowKind::kSp, 16));
  EXPECT_EQ(row_at(bytes, 0x100f), Row::make(RowKind::kSp, 16));
  EXPECT_EQ(row_at(bytes, 0x1010).kind(), RowKind::kFramePointer);
}

TEST(EhFrameTest, AugmentationsOfCxx) {
  // A personality (absolute, 8 bytes) and a pointer to language-specific data before the encoding.
  const Bytes bytes =
      make_sections({.augmentation = {'z', 'P', 'L', 'R', 0},
                     .augmentation_data = {0x00, 1, 2, 3, 4, 5, 6, 7, 8, 0x1b, 0x1b}},
                    {{0x1000, 0x10, cfa_offset(48)}});
  EXPECT_EQ(row_at(bytes, 0x1008), Row::make(RowKind::kSp, 48));
}

TEST(EhFrameTest, WhatIsNotUnderstoodIsNoInformation) {
  const Bytes letter =
      make_sections({.augmentation = {'z', '?', 'R', 0}}, {{0x1000, 0x10, cfa_offset(48)}});
  EXPECT_EQ(row_at(letter, 0x1008).kind(), RowKind::kFramePointer);
  const Bytes indirect =
      make_sections({.augmentation_data = {0x9b}}, {{0x1000, 0x10, cfa_offset(48)}});
  EXPECT_EQ(row_at(indirect, 0x1008).kind(), RowKind::kFramePointer);
  Bytes version = make_sections({}, {{0x1000, 0x10, cfa_offset(48)}});
  version[0] = 2;
  EXPECT_EQ(row_at(version, 0x1008).kind(), RowKind::kFramePointer);
  const Bytes other_register =
      make_sections({.return_register = 30}, {{0x1000, 0x10, cfa_offset(48)}});
  EXPECT_EQ(row_at(other_register, 0x1008).kind(), RowKind::kUnsupported);
}

TEST(EhFrameTest, NoSections) {
  EXPECT_EQ(compile_row({}, 0x1000).kind(), RowKind::kFramePointer);
  EXPECT_EQ(compile_row({0x5000, {0x1000, 0x2000}}, 0x1000).kind(), RowKind::kFramePointer);
}

TEST(EhFrameTest, CutAnywhere) {
  const Bytes whole = make_sections({}, kThree);
  for (std::size_t size = 0; size < whole.size() - 4; ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(row_at(cut, 0x2008).kind(), RowKind::kFramePointer) << size;
  }
}

// Nothing is read outside of the bytes (a sanitizer would see it), and it ends.
TEST(EhFrameTest, DamagedAnywhere) {
  const Bytes whole = make_sections({}, kThree);
  std::mt19937 dice(1);
  int different = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = whole;
    for (int j = 0; j < 1 + i % 3; ++j) {
      bytes[dice() % bytes.size()] = static_cast<std::uint8_t>(dice());
    }
    if (row_at(bytes, 0x1018) != Row::make(RowKind::kSp, 24)) ++different;
  }
  EXPECT_GT(different, 1000);
}

}  // namespace
}  // namespace mini::unwind::self
