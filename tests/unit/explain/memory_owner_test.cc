#include "explain/memory_owner.h"

#include <gtest/gtest.h>

namespace mini::explain {
namespace {

model::Mapping anonymous(std::uint64_t begin, std::uint64_t size) {
  model::Mapping mapping;
  mapping.range = {Address{begin}, Address{begin + size}};
  mapping.protection = {.read = true, .write = true};
  return mapping;
}

model::Inspection with_file(const std::string& path) {
  model::Inspection inspection;
  inspection.regions.emplace_back().mapping.path = path;
  return inspection;
}

TEST(MemoryOwnerTest, NobodyIsKnown) {
  EXPECT_EQ(MemoryOwners(with_file("/usr/bin/cat")).owner_of(anonymous(0x100000, 0x40000)), "");
}

TEST(MemoryOwnerTest, AnAllocatorHasAllOfIt) {
  const MemoryOwners owners(with_file("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"));
  EXPECT_EQ(owners.owner_of(anonymous(0x1000, 0x1000)), "jemalloc");
}

TEST(MemoryOwnerTest, V8HasWhatIsShapedLikeItsPages) {
  const MemoryOwners owners(with_file("/usr/bin/node"));
  EXPECT_EQ(owners.owner_of(anonymous(0x40000, 0x80000)), "V8");
  EXPECT_EQ(owners.owner_of(anonymous(0x41000, 0x80000)), "");
  EXPECT_EQ(owners.owner_of(anonymous(0x40000, 0x81000)), "");
}

TEST(MemoryOwnerTest, PythonsArenasNeedNotBeAligned) {
  const MemoryOwners owners(with_file("/usr/bin/python3.11"));
  EXPECT_EQ(owners.owner_of(anonymous(0x41000, 0x100000)), "CPython obmalloc");
  EXPECT_EQ(owners.owner_of(anonymous(0x41000, 0x101000)), "");
}

TEST(MemoryOwnerTest, AnAllocatorWhoseHeapWasReadHasNothingElse) {
  model::Inspection inspection = with_file("/usr/lib/libminimalloc.so.0");
  inspection.regions.emplace_back().mapping.path = "/usr/bin/python3.11";
  EXPECT_EQ(MemoryOwners(inspection).owner_of(anonymous(0x41000, 0x100000)), "libminimalloc");
  inspection.heap.emplace().allocator = "libminimalloc";
  EXPECT_EQ(MemoryOwners(inspection).owner_of(anonymous(0x41000, 0x100000)), "CPython obmalloc");
  EXPECT_EQ(MemoryOwners(inspection).owner_of(anonymous(0x41000, 0x101000)), "");
}

TEST(MemoryOwnerTest, UnderARuntimeAnAllocatorIsNamedFirst) {
  model::Inspection inspection = with_file("/usr/lib/libtcmalloc_minimal.so.4");
  inspection.runtime = "Go runtime";
  EXPECT_EQ(MemoryOwners(inspection).owner_of(anonymous(0x1000, 0x1000)), "tcmalloc");
  inspection.regions.clear();
  EXPECT_EQ(MemoryOwners(inspection).owner_of(anonymous(0x1000, 0x1000)), "Go runtime");
}

}  // namespace
}  // namespace mini::explain
