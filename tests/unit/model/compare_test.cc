// compare_with_kernel: silent about what the kernel does by itself, loud about everything else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/address_space.h"

namespace mini::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Bytes kPage{4096};

Mapping mapping(std::uint64_t begin, std::uint64_t end, std::string path = "") {
  Mapping m;
  m.range = {Address{begin}, Address{end}};
  m.protection = {.read = true, .write = true, .execute = false};
  m.path = std::move(path);
  return m;
}

Mapping file(std::uint64_t begin, std::uint64_t end, std::uint64_t offset, std::string path) {
  Mapping m = mapping(begin, end, std::move(path));
  m.file_offset = offset;
  m.device = 0xfe01;
  m.inode = 77;
  return m;
}

AddressSpace space_of(std::vector<Mapping> list) {
  AddressSpace space;
  for (Mapping& mapping : list) {
    if (mapping.path == "[heap]") {
      space.set_break(mapping.range.begin, Bytes{0x1000});
      space.set_break(mapping.range.end, Bytes{0x1000});
    }
    space.map(std::move(mapping));
  }
  return space;
}

TEST(CompareTest, EqualListsHaveNoDifference) {
  const std::vector<Mapping> list = {file(0x1000, 0x3000, 0, "/bin/x"), mapping(0x8000, 0x9000)};
  EXPECT_THAT(compare_with_kernel(space_of(list), list), IsEmpty());
}

TEST(CompareTest, LabelsAreNotCompared) {
  AddressSpace space = space_of({mapping(0x1000, 0x3000)});
  space.label({Address{0x1000}, Address{0x2000}}, Role::kMmappedChunk, Cause::kMalloc);
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x1000, 0x3000)}), IsEmpty());
}

TEST(CompareTest, NeighboursTheKernelDidNotJoinAreEqualToOne) {
  const AddressSpace space = space_of({mapping(0x1000, 0x3000)});
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x2000, 0x3000), mapping(0x1000, 0x2000)}),
              IsEmpty());
}

TEST(CompareTest, AMissingMappingIsNamedOnEitherSide) {
  EXPECT_THAT(compare_with_kernel(space_of({mapping(0x1000, 0x3000)}), {}),
              ElementsAre(HasSubstr("only in the model: 0x1000-0x3000")));
  EXPECT_THAT(compare_with_kernel(AddressSpace(), {mapping(0x1000, 0x3000)}),
              ElementsAre(HasSubstr("only in the kernel: 0x1000-0x3000")));
}

TEST(CompareTest, EveryPropertyOfAMappingCounts) {
  const Mapping original = file(0x1000, 0x3000, 0x2000, "/bin/x");
  const AddressSpace space = space_of({original});
  Mapping shorter = original;
  shorter.range.end = Address{0x2000};
  Mapping executable = original;
  executable.protection.execute = true;
  Mapping shared = original;
  shared.shared = true;
  Mapping elsewhere = original;
  elsewhere.file_offset = 0;
  Mapping other_file = original;
  other_file.path = "/bin/y";
  other_file.inode = 78;
  for (const Mapping& different : {shorter, executable, shared, elsewhere, other_file}) {
    EXPECT_THAT(compare_with_kernel(space, {different}), SizeIs(1)) << different.path;
  }
}

TEST(CompareTest, TheMainStackMayGrowButNotMove) {
  const AddressSpace space = space_of({mapping(0x70000, 0x80000, "[stack]")});
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x60000, 0x80000, "[stack]")}), IsEmpty());
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x78000, 0x80000, "[stack]")}), SizeIs(2));
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x70000, 0x81000, "[stack]")}), SizeIs(1));
}

TEST(CompareTest, AStackSplitByProtectionStillMayGrow) {
  AddressSpace space = space_of({mapping(0x70000, 0x80000, "[stack]")});
  space.protect({Address{0x74000}, Address{0x75000}}, {});
  Mapping hole = mapping(0x74000, 0x75000);
  hole.protection = {};
  EXPECT_THAT(compare_with_kernel(
                  space, {mapping(0x50000, 0x74000), hole, mapping(0x75000, 0x80000, "[stack]")}),
              IsEmpty());
}

TEST(CompareTest, KernelsOwnMappingsAreNotCompared) {
  EXPECT_THAT(compare_with_kernel(AddressSpace(), {mapping(0xf000, 0x10000, "[vsyscall]"),
                                                   mapping(0x1000, 0x2000, "/[aio] (deleted)")}),
              IsEmpty());
}

TEST(CompareTest, ARenamedOrDeletedFileIsTheSameFile) {
  const AddressSpace space = space_of({file(0x1000, 0x2000, 0, "/bin/x")});
  EXPECT_THAT(compare_with_kernel(space, {file(0x1000, 0x2000, 0, "/bin/x (deleted)")}), IsEmpty());
  EXPECT_THAT(compare_with_kernel(space, {file(0x1000, 0x2000, 0, "/bin/renamed")}), IsEmpty());
}

TEST(CompareTest, HeapJoinedToItsNeighbourIsNoDifference) {
  AddressSpace space = space_of({mapping(0x4000, 0x5000)});
  space.set_break(Address{0x5000}, kPage);
  space.set_break(Address{0x8000}, kPage);
  EXPECT_THAT(compare_with_kernel(space, {mapping(0x4000, 0x8000, "[heap]")}), IsEmpty());
}

TEST(CompareTest, AHeapInAnotherPlaceIsADifference) {
  AddressSpace space = space_of({mapping(0x14000, 0x15000)});
  space.set_break(Address{0x5000}, kPage);
  space.set_break(Address{0x8000}, kPage);
  EXPECT_THAT(
      compare_with_kernel(space, {mapping(0x5000, 0x8000), mapping(0x14000, 0x15000, "[heap]")}),
      SizeIs(2));
}

TEST(CompareTest, SharedAnonymousMemoryIsAFileToTheKernel) {
  Mapping model = mapping(0x1000, 0x2000);
  model.shared = true;
  Mapping kernel = model;
  kernel.path = "/dev/zero (deleted)";
  kernel.inode = 9;
  EXPECT_THAT(compare_with_kernel(space_of({model}), {kernel}), IsEmpty());
}

}  // namespace
}  // namespace mini::model
