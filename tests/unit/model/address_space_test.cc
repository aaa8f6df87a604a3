#include "model/address_space.h"

#include <gtest/gtest.h>

namespace mini::model {
namespace {

constexpr Bytes kPage{4096};
constexpr Protection kReadWrite{.read = true, .write = true, .execute = false};

AddressRange pages(std::uint64_t first, std::uint64_t count) {
  return {Address{first * kPage.count}, Address{(first + count) * kPage.count}};
}

Mapping anonymous(AddressRange range, std::string path = "") {
  Mapping mapping;
  mapping.range = range;
  mapping.protection = kReadWrite;
  mapping.path = std::move(path);
  return mapping;
}

Mapping file(AddressRange range, std::uint64_t offset) {
  Mapping mapping = anonymous(range, "/usr/lib/libx.so");
  mapping.file_offset = offset;
  mapping.device = 1;
  mapping.inode = 42;
  return mapping;
}

TEST(AddressSpaceTest, MappingOverAnotherReplacesWhatItOverlaps) {
  AddressSpace space;
  space.map(file(pages(10, 6), 0));
  space.map(anonymous(pages(12, 2)));
  ASSERT_EQ(space.mapping_count(), 3u);
  const auto list = space.mappings();
  EXPECT_EQ(list[0].range, pages(10, 2));
  EXPECT_EQ(list[1].range, pages(12, 2));
  EXPECT_EQ(list[2].range, pages(14, 2));
  EXPECT_EQ(list[2].file_offset, 4 * kPage.count);
  EXPECT_EQ(space.mapped_bytes(), kPage * 6);
}

TEST(AddressSpaceTest, AnonymousNeighboursBecomeOneMapping) {
  AddressSpace space;
  space.map(anonymous(pages(10, 1)));
  space.map(anonymous(pages(12, 1)));
  EXPECT_EQ(space.mapping_count(), 2u);
  space.map(anonymous(pages(11, 1)));
  ASSERT_EQ(space.mapping_count(), 1u);
  EXPECT_EQ(space.mappings()[0].range, pages(10, 3));
}

TEST(AddressSpaceTest, LabelsKeepNeighboursApart) {
  AddressSpace space;
  space.map(anonymous(pages(10, 1)));
  space.label(pages(10, 1), Role::kMmappedChunk, Cause::kMalloc);
  space.map(anonymous(pages(11, 1)));
  EXPECT_EQ(space.mapping_count(), 2u);
  space.label(pages(11, 1), Role::kMmappedChunk, Cause::kMalloc);
  EXPECT_EQ(space.mapping_count(), 1u);
}

TEST(AddressSpaceTest, FileNeighboursJoinOnlyWhereTheirOffsetsDo) {
  AddressSpace space;
  space.map(file(pages(10, 1), 0));
  space.map(file(pages(11, 1), kPage.count));
  space.map(file(pages(12, 1), kPage.count));
  EXPECT_EQ(space.mapping_count(), 2u);
}

TEST(AddressSpaceTest, UnmappingAHoleIsNotAnError) {
  AddressSpace space;
  space.map(anonymous(pages(10, 4)));
  space.unmap(pages(0, 5));
  space.unmap(pages(11, 1));
  space.unmap(pages(11, 1));
  EXPECT_EQ(space.mapped_bytes(), kPage * 3);
  EXPECT_EQ(space.find(Address{11 * kPage.count}), nullptr);
}

TEST(AddressSpaceTest, BackwardRangesChangeNothing) {
  AddressSpace space;
  space.map(anonymous(pages(10, 4)));
  const AddressRange backward{Address{13 * kPage.count}, Address{11 * kPage.count}};
  space.unmap(backward);
  space.map(anonymous(backward));
  space.protect(backward, {});
  space.move(backward, backward, false);
  EXPECT_TRUE(space.within(backward).empty());
  EXPECT_EQ(space.mapped_bytes(), kPage * 4);
  EXPECT_EQ(space.mapping_count(), 1u);
}

TEST(AddressSpaceTest, ProtectSplitsAndJoinsAgain) {
  AddressSpace space;
  space.map(anonymous(pages(10, 4)));
  space.protect(pages(11, 2), {.read = true, .write = false, .execute = false});
  EXPECT_EQ(space.mapping_count(), 3u);
  space.protect(pages(11, 2), kReadWrite);
  EXPECT_EQ(space.mapping_count(), 1u);
}

TEST(AddressSpaceTest, FirstBreakIsWhereTheHeapStarts) {
  AddressSpace space;
  EXPECT_EQ(space.heap_bytes(), Bytes{});
  space.set_break(Address{0x5000'0000}, kPage);
  EXPECT_EQ(space.heap_start(), Address{0x5000'0000});
  EXPECT_EQ(space.mapped_bytes(), Bytes{}) << "a question maps nothing";
  space.set_break(Address{0x5002'1000}, kPage);
  EXPECT_EQ(space.heap_bytes(), Bytes{0x21000});
  ASSERT_EQ(space.mapping_count(), 1u);
  EXPECT_EQ(space.mappings()[0].path, "[heap]");
  EXPECT_EQ(space.mappings()[0].protection, kReadWrite);
}

TEST(AddressSpaceTest, UnalignedBreakMapsWholePages) {
  AddressSpace space;
  space.set_break(Address{0x5000'0000}, kPage);
  space.set_break(Address{0x5000'03e8}, kPage);
  EXPECT_EQ(space.heap_bytes(), Bytes{1000});
  EXPECT_EQ(space.mapped_bytes(), kPage);
  space.set_break(Address{0x5000'07d0}, kPage);
  EXPECT_EQ(space.mapped_bytes(), kPage) << "the second 1000 bytes fit in the same page";
  space.set_break(Address{0x5000'0000}, kPage);
  EXPECT_EQ(space.mapped_bytes(), Bytes{});
}

TEST(AddressSpaceTest, BreakAtTheEndOfTheAddressSpaceDoesNotWrap) {
  AddressSpace space;
  space.set_break(Address{0x1000}, kPage);
  space.set_break(Address{~0ULL}, kPage);
  EXPECT_EQ(space.mapped_bytes(), Bytes{~0xfffULL - 0x1000});
}

TEST(AddressSpaceTest, HeapGrowthKeepsTheHeapsLabels) {
  AddressSpace space;
  space.set_break(Address{0x5000'0000}, kPage);
  space.set_break(Address{0x5000'1000}, kPage);
  space.label({Address{0x5000'0000}, Address{0x5000'1000}}, Role::kHeap, Cause::kMalloc);
  space.set_break(Address{0x5000'2000}, kPage);
  ASSERT_EQ(space.mapping_count(), 1u);
  EXPECT_EQ(space.mappings()[0].role, Role::kHeap);
}

TEST(AddressSpaceTest, MoveCarriesEachPieceAndGrowsTheLast) {
  AddressSpace space;
  space.map(anonymous(pages(10, 2)));
  space.protect(pages(11, 1), {.read = true, .write = false, .execute = false});
  space.move(pages(10, 2), pages(20, 4), false);
  const auto list = space.mappings();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].range, pages(20, 1));
  EXPECT_EQ(list[1].range, pages(21, 3));
  EXPECT_FALSE(list[1].protection.write);
  EXPECT_EQ(space.mapped_bytes(), kPage * 4);
}

TEST(AddressSpaceTest, MoveInPlaceGrowsAndShrinks) {
  AddressSpace space;
  space.map(file(pages(10, 2), 0));
  space.move(pages(10, 2), pages(10, 5), false);
  EXPECT_EQ(space.mapped_bytes(), kPage * 5);
  space.move(pages(10, 5), pages(10, 1), false);
  ASSERT_EQ(space.mapping_count(), 1u);
  EXPECT_EQ(space.mappings()[0].range, pages(10, 1));
}

TEST(AddressSpaceTest, MoveKeepingTheSourceMapsBoth) {
  AddressSpace space;
  space.map(anonymous(pages(10, 2)));
  space.move(pages(10, 2), pages(20, 2), true);
  EXPECT_EQ(space.mapped_bytes(), kPage * 4);
}

TEST(AddressSpaceTest, MoveOfNothingDuplicatesASharedMappingFromThatAddress) {
  AddressSpace space;
  space.map(file(pages(10, 4), 0));
  space.move({pages(12, 1).begin, pages(12, 1).begin}, pages(20, 2), false);
  ASSERT_EQ(space.mapping_count(), 2u);
  EXPECT_EQ(space.mappings()[1].range, pages(20, 2));
  EXPECT_EQ(space.mappings()[1].file_offset, 2 * kPage.count);
}

TEST(AddressSpaceTest, HeapMovedElsewhereIsNoLongerCalledHeap) {
  AddressSpace space;
  space.set_break(Address{0x5000'0000}, kPage);
  space.set_break(Address{0x5000'2000}, kPage);
  space.move({Address{0x5000'0000}, Address{0x5000'1000}}, pages(10, 1), false);
  EXPECT_EQ(space.find(Address{10 * kPage.count})->path, "");
  EXPECT_EQ(space.find(Address{0x5000'1000})->path, "[heap]");
}

TEST(AddressSpaceTest, NamingSparesTheHeap) {
  AddressSpace space;
  space.set_break(Address{0x5000'0000}, kPage);
  space.set_break(Address{0x5000'1000}, kPage);
  space.map(anonymous(pages(10, 3)));
  space.name({Address{0}, Address{0x6000'0000}}, "[anon:pool]");
  EXPECT_EQ(space.find(Address{11 * kPage.count})->path, "[anon:pool]");
  EXPECT_EQ(space.find(Address{0x5000'0000})->path, "[heap]");
}

TEST(AddressSpaceTest, TheStackEndsWithItsLowestPiece) {
  AddressSpace space;
  EXPECT_EQ(space.stack_end(), nullptr);
  space.map(anonymous(pages(10, 2)));
  space.map(anonymous(pages(100, 30), "[stack]"));
  space.protect(pages(110, 5), {.read = true, .write = false, .execute = false});
  space.map(file(pages(200, 2), 0));
  ASSERT_NE(space.stack_end(), nullptr);
  EXPECT_EQ(space.stack_end()->range, pages(100, 10));
}

TEST(AddressSpaceTest, WithinCutsToTheRange) {
  AddressSpace space;
  space.map(file(pages(10, 4), 0));
  space.map(anonymous(pages(16, 4)));
  const auto list = space.within(pages(12, 6));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].range, pages(12, 2));
  EXPECT_EQ(list[0].file_offset, 2 * kPage.count);
  EXPECT_EQ(list[1].range, pages(16, 2));
}

}  // namespace
}  // namespace mini::model
