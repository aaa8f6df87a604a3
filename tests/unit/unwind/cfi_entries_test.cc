// Finding entries in hand-made sections, and in cut and damaged ones.
#include "unwind/cfi_entries.h"

#include <gtest/gtest.h>
#include <random>

#include "cfi_bytes.h"
#include "unwind/cfi_program.h"

namespace mini::unwind {
namespace {

using Kind = CfiSection::Kind;

/// Where the entry of an address begins, relative to the code; nullopt where it has none.
std::optional<std::uint64_t> found_at(const CfiBytes& bytes, std::uint64_t offset,
                                      Kind kind = Kind::kEhFrame) {
  // A copy of exactly that size, so that a sanitizer sees the first byte read past its end.
  const CfiBytes exact(bytes.begin(), bytes.end());
  const CfiSection section = section_of(exact, kind);
  const auto frame = CfiEntries(section).find(kCode + offset);
  if (!frame) return std::nullopt;
  (void)run_cfi_program(*frame, section, kCode + offset);
  return frame->begin - kCode;
}

CfiBytes three_frames() {
  CfiBuilder builder;
  const std::size_t common = builder.add_common();
  builder.add_frame(common, kCode + 0x1000, 0x10, cfa_offset(32));  // not in the order of the code
  builder.add_frame(common, kCode, 0x10, cfa_offset(16));
  builder.add_frame(common, kCode + 0x10, 0x20, cfa_offset(24));
  return builder.bytes();
}

CfiBytes one_frame(const CommonOptions& options, const CfiBytes& content) {
  CfiBuilder builder;
  builder.add_with_common(builder.add_common(options), content);
  return builder.bytes();
}

TEST(CfiEntries, FindsTheEntryOfEachAddress) {
  const CfiBytes bytes = three_frames();
  EXPECT_EQ(found_at(bytes, 0), 0U);
  EXPECT_EQ(found_at(bytes, 0xf), 0U);
  EXPECT_EQ(found_at(bytes, 0x10), 0x10U);
  EXPECT_EQ(found_at(bytes, 0x2f), 0x10U);
  EXPECT_EQ(found_at(bytes, 0x1008), 0x1000U);
  for (const std::uint64_t outside :
       {std::uint64_t{0x30}, std::uint64_t{0xfff}, std::uint64_t{0x1010}, ~std::uint64_t{0}}) {
    EXPECT_FALSE(found_at(bytes, outside)) << outside;
  }
  EXPECT_FALSE(found_at({}, 0));
}

TEST(CfiEntries, OfOverlappingOnesTheOneThatBeginsLast) {
  CfiBuilder builder;
  const std::size_t common = builder.add_common();
  builder.add_frame(common, kCode + 0x40, 0x10, {});
  builder.add_frame(common, kCode, 0x100, {});
  builder.add_frame(common, kCode + 0x40, 0x20, {});
  EXPECT_EQ(found_at(builder.bytes(), 0x3f), 0U);
  EXPECT_EQ(found_at(builder.bytes(), 0x4f), 0x40U);
  EXPECT_FALSE(found_at(builder.bytes(), 0x50));  // the first at 0x40 is the one
}

TEST(CfiEntries, EveryEncodingOfAnAddress) {
  const auto with = [](std::uint8_t encoding, const CfiBytes& addresses) {
    CfiBytes content = addresses;
    append(content, std::uint8_t{0});
    return one_frame({.augmentation_data = {encoding}}, content);
  };
  EXPECT_EQ(found_at(with(0x00, {0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}), 8), 0U);
  EXPECT_EQ(found_at(with(0x01, {0x80, 0x80, 4, 9}), 8), 0U);        // uleb128
  EXPECT_EQ(found_at(with(0x03, {0, 0, 1, 0, 9, 0, 0, 0}), 8), 0U);  // udata4
  EXPECT_EQ(found_at(with(0x09, {0x80, 0x80, 4, 9}), 8), 0U);        // sleb128
  EXPECT_EQ(found_at(with(0x0a, {0xff, 0x7f, 9, 0}), 0x7fff - kCode), 0x7fff - kCode);
  EXPECT_EQ(found_at(with(0x02, {0xff, 0xff, 9, 0}), 0xffff - kCode), 0xffff - kCode);
  // Relative to a header that is not there, to .text, indirect, left out, of no format.
  for (const std::uint8_t encoding : CfiBytes{0x33, 0x23, 0x83, 0xff, 0x05, 0x43}) {
    EXPECT_FALSE(found_at(with(encoding, {0, 0, 1, 0, 9, 0, 0, 0}), 8)) << int{encoding};
  }
}

TEST(CfiEntries, DataRelativeAddresses) {
  const CfiBytes bytes = one_frame({.augmentation_data = {0x3b}}, {0, 0, 0, 0, 9, 0, 0, 0, 0});
  CfiSection section = section_of(bytes);
  section.header_address = kCode;
  EXPECT_TRUE(CfiEntries(section).find(kCode + 8));
}

TEST(CfiEntries, Augmentations) {
  const auto with = [](const CommonOptions& options) {
    CfiBuilder builder;
    builder.add_frame(builder.add_common(options), kCode, 0x10, {});
    return found_at(builder.bytes(), 0);
  };
  // A personality (absolute, 8 bytes) and a pointer to language-specific data before the encoding.
  EXPECT_EQ(with({.augmentation = "zPLR",
                  .augmentation_data = {0x00, 1, 2, 3, 4, 5, 6, 7, 8, 0x1b, 0x1b}}),
            0U);
  EXPECT_EQ(with({.augmentation = "zRSB"}), 0U);
  EXPECT_EQ(with({.augmentation = "zR?P", .augmentation_data = {0x1b, 0xff, 0xff}}), 0U);
  EXPECT_FALSE(with({.augmentation = "eh"}));
  EXPECT_FALSE(with({.augmentation = "Rz"}));
  EXPECT_FALSE(with({.augmentation = "zP", .augmentation_data = {0x03, 1}}));
  EXPECT_FALSE(with({.augmentation = "z" + std::string(1000, 'R')}));
  EXPECT_FALSE(with({.version = 2}));
  EXPECT_EQ(with({.version = 3}), 0U);
  EXPECT_EQ(with({.version = 4}), 0U);
}

TEST(CfiEntries, DebugFrameOfBothFormats) {
  for (const bool is_64 : {false, true}) {
    CfiBuilder builder(Kind::kDebugFrame, is_64);
    CfiBytes content;
    append(content, kCode);
    append(content, std::uint64_t{0x10});
    builder.add_with_common(builder.add_common({.version = 3, .augmentation = ""}), content);
    EXPECT_EQ(found_at(builder.bytes(), 0xf, Kind::kDebugFrame), 0U) << is_64;
  }
}

TEST(CfiEntries, RangesThatAreNone) {
  for (const std::uint64_t size : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    CfiBytes content;
    append(content, kCode);
    append(content, size);
    append(content, std::uint8_t{0});
    EXPECT_FALSE(found_at(one_frame({.augmentation_data = {0}}, content), 0)) << size;
  }
}

TEST(CfiEntries, WhatRefersToNoCommonEntry) {
  CfiBytes content = {0, 0, 1, 0, 9, 0, 0, 0, 0};
  CfiBuilder builder;
  const std::size_t common = builder.add_common({.augmentation_data = {0x03}});
  const std::size_t itself = builder.bytes().size();
  builder.add_with_common(itself, content);
  builder.add_with_common(itself, content);      // another description
  builder.add_with_common(common + 1, content);  // the midst of one
  builder.add(0x7fffffff, content);              // before the section
  EXPECT_FALSE(found_at(builder.bytes(), 0));
  builder.add_with_common(common, content);
  EXPECT_EQ(found_at(builder.bytes(), 0), 0U);
}

TEST(CfiEntries, NumbersWithoutEnd) {
  CfiBuilder builder;
  const std::size_t common = builder.add_common({.augmentation_data = {0x01}});
  builder.add_with_common(common, CfiBytes(1000, 0x80));
  EXPECT_FALSE(found_at(builder.bytes(), 0));
}

TEST(CfiEntries, CutAnywhere) {
  const CfiBytes whole = three_frames();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const CfiBytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(found_at(cut, 0x18)) << size;
  }
  EXPECT_EQ(found_at(whole, 0x18), 0x10U);
}

// Nothing is read outside of the bytes (a sanitizer would see it), and it ends.
TEST(CfiEntries, DamagedAnywhere) {
  const CfiBytes whole = three_frames();
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    CfiBytes damaged = whole;
    for (int i = 0; i <= round % 4; ++i) {
      damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
    }
    for (const std::uint64_t offset : {0U, 0x18U, 0x1008U}) {
      found_at(damaged, offset, round % 2 == 0 ? Kind::kEhFrame : Kind::kDebugFrame);
    }
  }
}

}  // namespace
}  // namespace mini::unwind
