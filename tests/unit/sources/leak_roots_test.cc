#include "sources/leak_roots.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <utility>
#include <vector>

namespace mini::sources {
namespace {

using kernel::MapsEntry;
using Ranges = std::vector<AddressRange>;

AddressRange range(std::uint64_t begin, std::uint64_t end) {
  return {Address{begin}, Address{end}};
}

MapsEntry mapping(std::uint64_t begin, std::uint64_t end, const char* path = "",
                  const char* permissions = "rw-p") {
  MapsEntry entry;
  entry.range = range(begin, end);
  entry.read = permissions[0] == 'r';
  entry.write = permissions[1] == 'w';
  entry.execute = permissions[2] == 'x';
  entry.shared = permissions[3] == 's';
  entry.path = path;
  return entry;
}

struct Facts {
  std::vector<MapsEntry> maps;
  std::vector<heaps::LiveRange> blocks = {};
  std::vector<std::uint64_t> stack_pointers = {};
  std::vector<AddressRange> excluded = {};
  bool has_all_blocks = true;

  Ranges roots() const {
    return find_roots({.maps = maps,
                       .blocks = blocks,
                       .stack_pointers = stack_pointers,
                       .registers = {},
                       .excluded = excluded,
                       .has_all_blocks = has_all_blocks})
        .ranges;
  }
};

TEST(LeakRootsTest, WritablePrivateMemoryCounts) {
  const Facts facts{
      .maps = {mapping(0x1000, 0x2000, "/bin/x", "r-xp"), mapping(0x2000, 0x3000, "/bin/x", "r--p"),
               mapping(0x3000, 0x4000, "/bin/x"), mapping(0x4000, 0x5000),
               mapping(0x6000, 0x7000, "/dev/shm/x", "rw-s"), mapping(0x7000, 0x8000, "", "---p")}};
  EXPECT_EQ(facts.roots(), (Ranges{range(0x3000, 0x4000), range(0x4000, 0x5000)}));
}

TEST(LeakRootsTest, MemoryThatWasWritableCounts) {
  Facts facts{.maps = {mapping(0x1000, 0x2000, "/bin/x", "r--p"),
                       mapping(0x3000, 0x4000, "/bin/x", "r--p"), mapping(0x4000, 0x5000, "/bin/x"),
                       mapping(0x5000, 0x6000, "", "r--p"), mapping(0x6000, 0x7000, "", "r-xp"),
                       mapping(0x7000, 0x8000, "[anon:sealed]", "r--p"),
                       mapping(0x8000, 0x9000, "[vvar]", "r--p")}};
  facts.maps[1].file_offset = 0x2000;
  facts.maps[2].file_offset = 0x3000;
  EXPECT_EQ(facts.roots(), (Ranges{range(0x3000, 0x4000), range(0x4000, 0x5000),
                                   range(0x5000, 0x6000), range(0x7000, 0x8000)}));
  facts.maps[1].file_offset = 0x1000;  // of another segment
  EXPECT_EQ(facts.roots().front(), range(0x4000, 0x5000));
}

TEST(LeakRootsTest, OfAnArenaNothingButItsBlocksCounts) {
  Facts facts{.maps = {mapping(0x10000, 0x20000, "[heap]"), mapping(0x8000000, 0x8021000)},
              .blocks = {{0x10010, 64}, {0x8001000, 64}}};
  EXPECT_TRUE(facts.roots().empty());
  // Where blocks are not known, they may be anywhere between.
  facts.has_all_blocks = false;
  EXPECT_EQ(facts.roots(), (Ranges{range(0x10000, 0x10010), range(0x10050, 0x20000),
                                   range(0x8000000, 0x8001000), range(0x8001040, 0x8021000)}));
  // Memory that is aligned like an arena by chance.
  facts.has_all_blocks = true;
  facts.blocks.clear();
  EXPECT_EQ(facts.roots(), (Ranges{range(0x8000000, 0x8021000)}));
}

TEST(LeakRootsTest, WhatTheKernelJoinedWithABlocksMappingCounts) {
  const Facts facts{.maps = {mapping(0x10000, 0x90000)}, .blocks = {{0x20010, 0x30000}}};
  EXPECT_EQ(facts.roots(), (Ranges{range(0x10000, 0x20010), range(0x50010, 0x90000)}));
}

TEST(LeakRootsTest, AStackCountsFromItsPointerOn) {
  const Facts facts{.maps = {mapping(0x1000, 0x2000, "", "---p"), mapping(0x2000, 0x8000),
                             mapping(0x9000, 0xf000), mapping(0x70000, 0x80000, "[stack]")},
                    .blocks = {},
                    .stack_pointers = {0x6000, 0xb000, 0x78000}};
  // The second has no guard below it: it may be more than a stack.
  EXPECT_EQ(facts.roots(), (Ranges{range(0x6000 - 128, 0x8000), range(0x9000, 0xf000),
                                   range(0x78000 - 128, 0x80000)}));
}

TEST(LeakRootsTest, AStackInABlockCounts) {
  const Facts facts{.maps = {mapping(0x10000, 0x20000, "[heap]")},
                    .blocks = {{0x10010, 0x8000}},
                    .stack_pointers = {0x14000}};
  EXPECT_EQ(facts.roots(), (Ranges{range(0x14000 - 128, 0x18010)}));
}

TEST(LeakRootsTest, AnAllocatorsNotesDoNotCount) {
  const Facts facts{.maps = {mapping(0x3000, 0x6000, "/lib/libc.so.6")},
                    .blocks = {},
                    .stack_pointers = {},
                    .excluded = {range(0x3c60, 0x44f8)}};
  EXPECT_EQ(facts.roots(), (Ranges{range(0x3000, 0x3c60), range(0x44f8, 0x6000)}));
}

#if defined(__x86_64__)
TEST(LeakRootsTest, OfAStackThatIsKeptOnlyTheThreadsRecordCounts) {
  class Memory : public MemoryReader {
   public:
    std::map<std::uint64_t, std::uint64_t> words;
    std::size_t read(Address from, std::span<std::byte> out) const override {
      const auto word = words.find(from.value);
      const std::uint64_t value = word == words.end() ? 0 : word->second;
      std::memcpy(out.data(), &value, std::min(out.size(), sizeof value));
      return out.size();
    }
  } memory;
  const std::vector<MapsEntry> maps{mapping(0x10000, 0x11000, "", "---p"),
                                    mapping(0x11000, 0x20000), mapping(0x40000, 0x50000)};
  const auto ended = [&](std::vector<std::uint64_t> thread_pointers = {}) {
    return ended_stacks(memory, {.maps = maps,
                                 .blocks = {},
                                 .stack_pointers = {},
                                 .thread_pointers = std::move(thread_pointers),
                                 .registers = {},
                                 .excluded = {}});
  };
  EXPECT_EQ(ended(), Ranges{});
  for (const std::uint64_t record : {0x1f6c0U, 0x4f6c0U})
    memory.words[record] = memory.words[record + 16] = record;
  // The other mapping has no guard.
  EXPECT_EQ(ended(), Ranges{range(0x11000, 0x1f6c0)});
  EXPECT_EQ(ended({0x1f6c0}), Ranges{});
  memory.words[0x1f6c0 + 0x2d0] = 4711;  // a thread that runs on another stack
  EXPECT_EQ(ended(), Ranges{});
}
#endif

TEST(LeakRootsTest, BlocksThatCannotBeDoNoHarm) {
  const Facts facts{.maps = {mapping(0x3000, 0x6000)},
                    .blocks = {{0x2000, ~0ULL}, {0x3000, ~0ULL}, {0x3000, 4}, {~0ULL, ~0ULL}},
                    .stack_pointers = {~0ULL, 0}};
  for (const AddressRange& part : facts.roots()) EXPECT_LE(part.begin, part.end);
}

}  // namespace
}  // namespace mini::sources
