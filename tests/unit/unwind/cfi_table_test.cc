// Rows of whole files, real ones and some that somebody made to do harm.
#include "unwind/cfi_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "cfi_bytes.h"

namespace mini::unwind {
namespace {

using Kind = UnwindRow::Kind;

std::unique_ptr<ElfFile> file_of(std::vector<std::byte> image) {
  auto file = ElfFile::from_memory(std::move(image));
  return file ? std::move(*file) : nullptr;
}

CfiBytes one_frame(const CfiBytes& instructions, const CommonOptions& options = {}) {
  CfiBuilder builder;
  builder.add_frame(builder.add_common(options), kCode, 0x100, instructions);
  return builder.bytes();
}

UnwindRow row_in_section(const CfiBytes& eh_frame, std::uint64_t address) {
  const auto file = file_of(CfiImage::with_section(".eh_frame", eh_frame));
  if (file == nullptr) return {};
  UnwindRow row = CfiTable(*file).row_at(address);
  row.full = nullptr;
  return row;
}

std::uint64_t peak_kib() {
  struct rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

TEST(CfiTable, CompactRows) {
  const UnwindRow row = row_in_section(one_frame({0x0e, 16, 0x86, 2}), kCode);  // rbp at CFA - 16
  EXPECT_EQ(row.kind, Kind::kCompact);
  EXPECT_EQ(row.cfa_register, Registers::kStackPointer);
  EXPECT_EQ(row.cfa_offset, 16);
  EXPECT_EQ(row.return_offset, -8);
  EXPECT_EQ(row.saved_offset[1], -16);
  EXPECT_FALSE(row.signal_frame);
  EXPECT_EQ(row_in_section(one_frame({}), kCode + 0x100).kind, Kind::kNone);
  EXPECT_EQ(row_in_section({}, kCode).kind, Kind::kNone);
}

TEST(CfiTable, WhatIsNotCompact) {
  EXPECT_EQ(row_in_section(one_frame({0x07, 16}), kCode).kind, Kind::kOutermost);
  EXPECT_EQ(row_in_section(one_frame({0x0f, 2, 0x77, 8}), kCode).kind, Kind::kFull);
  const UnwindRow signal = row_in_section(one_frame({}, {.augmentation = "zRS"}), kCode);
  EXPECT_EQ(signal.kind, Kind::kCompact);
  EXPECT_TRUE(signal.signal_frame);
}

// DW_CFA_offset_extended of nearly 2^28: a table of that many registers has two gigabytes.
TEST(CfiTable, ARegistersNumberCostsNoMemory) {
  const CfiBytes hostile = {0x05, 0xfe, 0xff, 0xff, 0x7f, 2, 0x0e, 32};
  const std::uint64_t before = peak_kib();
  EXPECT_EQ(row_in_section(one_frame(hostile), kCode).cfa_offset, 32);
  EXPECT_EQ(row_in_section(one_frame({}, {.instructions = hostile}), kCode).kind, Kind::kNone);
  EXPECT_LT(peak_kib() - before, 256U * 1024);
}

TEST(CfiTable, WithoutSectionsByTheProgramHeaders) {
  const auto file = file_of(CfiImage::without_sections(one_frame(cfa_offset(48))));
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(CfiTable(*file).row_at(kCode).cfa_offset, 48);
}

TEST(CfiTable, DebugFrameIsAskedWhereEhFrameHasNothing) {
  for (const bool is_64 : {false, true}) {
    CfiBuilder builder(CfiSection::Kind::kDebugFrame, is_64);
    CfiBytes content;
    append(content, kCode);
    append(content, std::uint64_t{0x100});
    append(content, cfa_offset(56));
    builder.add_with_common(builder.add_common({.version = 4, .augmentation = ""}), content);
    const auto file = file_of(CfiImage::with_section(".debug_frame", builder.bytes()));
    ASSERT_NE(file, nullptr);
    CfiTable table(*file);
    EXPECT_EQ(table.row_at(kCode).kind, Kind::kNone);
    table.add_debug_frame(*file);
    EXPECT_EQ(table.row_at(kCode).cfa_offset, 56) << is_64;
  }
}

TEST(CfiTable, RealFiles) {
  for (const std::string name : {"chain", "chain_stripped", "chain_static", "chain_not_pie"}) {
    const auto file = ElfFile::open(MINI_UNWIND_TARGETS "/" + name);
    ASSERT_TRUE(file) << name;
    EXPECT_EQ(CfiTable(**file).row_at((*file)->entry()).kind, Kind::kOutermost) << name;
  }
}

}  // namespace
}  // namespace mini::unwind
