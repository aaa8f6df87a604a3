// Ledgers of made-up processes: every row is what it should be, and all of them add up.
#include "explain/memory_ledger.h"

#include <gtest/gtest.h>
#include <string_view>

namespace mini::explain {
namespace {

using model::Inspection;
using model::MemoryKind;

model::MemoryRegion region(std::uint64_t begin, std::uint64_t size, std::string path,
                           std::uint64_t resident, bool shared = false) {
  model::MemoryRegion result;
  result.mapping.range = {Address{begin}, Address{begin + size}};
  result.mapping.protection = {.read = true, .write = true};
  result.mapping.shared = shared;
  result.mapping.path = std::move(path);
  result.resident = Bytes{resident};
  return result;
}

std::int64_t sum(const std::vector<model::MemoryRow>& rows) {
  std::int64_t total = 0;
  for (const model::MemoryRow& row : rows) total += row.bytes;
  return total;
}

const model::MemoryRow* find(const std::vector<model::MemoryRow>& rows, MemoryKind kind,
                             const std::string& owner) {
  for (const model::MemoryRow& row : rows) {
    if (row.kind == kind && row.owner == owner) return &row;
  }
  return nullptr;
}

Inspection process() {
  Inspection inspection;
  inspection.regions = {region(0x1000, 0x1000, "/bin/x", 0x1000),
                        region(0x2000, 0x1000, "", 0x800),  // its bss
                        region(0x10000, 0x8000, "[heap]", 0x6000),
                        region(0x30000, 0x1000, "/dev/shm/y", 0x1000, true),
                        region(0x40000, 0x1000, "", 0x1000),
                        region(0x50000, 0x4000, "[stack]", 0x2000)};
  inspection.mapped = Bytes{0x10000};
  inspection.resident = Bytes{0xc000};
  inspection.heap.emplace().arenas.emplace_back().is_main = true;
  inspection.heap_mappings = {Address{0x10000}};
  inspection.account.by_arena.resize(1);
  auto& live = inspection.account.by_arena[0][0];
  live = {.pieces = 10,
          .size = Bytes{0x5000},
          .header = Bytes{0x50},
          .resident = Bytes{0x4000},
          .resident_header = Bytes{0x40}};
  return inspection;
}

TEST(MemoryLedgerTest, RowsAddUpToTheKernelsFigures) {
  Inspection inspection = process();
  make_memory_ledgers(inspection);
  EXPECT_EQ(sum(inspection.resident_ledger), 0xc000);
  EXPECT_EQ(sum(inspection.mapped_ledger), 0x10000);
}

TEST(MemoryLedgerTest, WhatIsMappedBehindAFilesDataIsNotTheFiles) {
  Inspection inspection = process();
  inspection.regions[1].mapping.range.end = Address{0x6000};  // one page of it is bss
  inspection.regions[0].mapping.data_end = Address{0x3000};
  make_memory_ledgers(inspection);
  EXPECT_EQ(find(inspection.mapped_ledger, MemoryKind::kProgramFile, "/bin/x")->bytes, 0x1000);
  inspection = process();
  inspection.regions[1].mapping.range.end = Address{0x6000};
  inspection.regions[0].mapping.data_end = Address{0x4000};  // half of it
  make_memory_ledgers(inspection);
  EXPECT_EQ(find(inspection.mapped_ledger, MemoryKind::kProgramFile, "/bin/x")->bytes, 0x5000);
}

TEST(MemoryLedgerTest, WhatTheAgentOfARecordedProcessMapsIsHeapspys) {
  constexpr std::string_view kAgent = "/usr/lib/heapspy/libheapspy-agent.so";
  const auto image = [](std::uint64_t begin, std::string path, bool execute) {
    model::MemoryRegion part = region(begin, 0x1000, std::move(path), 0x1000);
    part.mapping.protection = {.read = true, .execute = execute};
    return part;
  };
  Inspection inspection = process();
  inspection.regions.insert(
      inspection.regions.begin() + 4,
      {image(0x31000, "/lib/x.so", false),  // of its own accord: no neighbour of the image
       image(0x33000, "/lib/x.so", false), image(0x34000, "/lib/x.so", true),
       image(0x35000, "/lib/data", false), region(0x36000, 0x1000, std::string(kAgent), 0x800),
       region(0x37000, 0x1000, "", 0x400),  // its bss
       region(0x38000, 0x2000, "/memfd:heapspy (deleted)", 0x1800, true),
       region(0x3a000, 0x1000, "", 0x100)});  // nobody's: shared memory has no bss
  Inspection without = inspection;
  std::erase_if(without.regions, [&](const model::MemoryRegion& one) {
    return one.mapping.path == kAgent || one.mapping.path.starts_with("/memfd:");
  });
  make_memory_ledgers(inspection);
  make_memory_ledgers(without);
  const auto bytes = [](const Inspection& of, const std::string& owner) -> std::int64_t {
    const auto* row = find(of.resident_ledger, MemoryKind::kAgent, owner);
    return row != nullptr ? row->bytes : 0;
  };
  EXPECT_EQ(bytes(inspection, std::string(kAgent)), 0xc00);
  EXPECT_EQ(bytes(inspection, "/memfd:heapspy (deleted)"), 0x1800);
  EXPECT_EQ(bytes(inspection, "frame information of /lib/x.so"), 0x1000);
  EXPECT_EQ(bytes(inspection, "frame information of /lib/data"), 0);
  EXPECT_EQ(find(inspection.resident_ledger, MemoryKind::kProgramFile, "/memfd:heapspy (deleted)"),
            nullptr);
  // Where there is no agent, such a mapping is the program's.
  EXPECT_EQ(sum_of_kind(without.resident_ledger, MemoryKind::kAgent), 0);
  EXPECT_EQ(sum(inspection.resident_ledger), 0xc000);
}

TEST(MemoryLedgerTest, EachMappingIsSomebodys) {
  Inspection inspection = process();
  make_memory_ledgers(inspection);
  const auto bytes = [&](MemoryKind kind, const std::string& owner) -> std::int64_t {
    const auto* row = find(inspection.resident_ledger, kind, owner);
    return row != nullptr ? row->bytes : -1;
  };
  EXPECT_EQ(bytes(MemoryKind::kProgramFile, "/bin/x"), 0x1800);
  EXPECT_EQ(bytes(MemoryKind::kLiveBlocks, "main arena"), 0x4000 - 0x40);
  EXPECT_EQ(bytes(MemoryKind::kAllocatorOverhead, "main arena"), 0x40);
  EXPECT_EQ(bytes(MemoryKind::kHeapRest, ""), 0x2000);
  EXPECT_EQ(bytes(MemoryKind::kSharedMemory, "/dev/shm/y"), 0x1000);
  EXPECT_EQ(bytes(MemoryKind::kOtherAnonymous, ""), 0x1000);
  EXPECT_EQ(bytes(MemoryKind::kMainStack, ""), 0x2000);
  EXPECT_EQ(bytes(MemoryKind::kRemainder, ""), 0xc000 - 0x1000 - 0x800 - 0x6000 - 0x4000);
}

TEST(MemoryLedgerTest, TheRemainderMayBeNegative) {
  Inspection inspection = process();
  inspection.resident = Bytes{0x1000};
  make_memory_ledgers(inspection);
  EXPECT_EQ(sum(inspection.resident_ledger), 0x1000);
  EXPECT_LT(sum_of_kind(inspection.resident_ledger, MemoryKind::kRemainder), 0);
}

TEST(MemoryLedgerTest, ACoreHasNoResidentLedger) {
  Inspection inspection = process();
  inspection.resident.reset();
  make_memory_ledgers(inspection);
  EXPECT_TRUE(inspection.resident_ledger.empty());
  EXPECT_EQ(sum(inspection.mapped_ledger), 0x10000);
}

TEST(MemoryLedgerTest, MemoryOfAnotherAllocatorIsEstimatedToBeIts) {
  Inspection inspection = process();
  inspection.regions.push_back(region(0x60000, 0x1000, "/usr/lib/libjemalloc.so.2", 0x1000));
  make_memory_ledgers(inspection);
  const auto* row = find(inspection.resident_ledger, MemoryKind::kOtherAnonymous, "jemalloc");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->tag, model::FigureTag::kEstimated);
}

TEST(MemoryLedgerTest, ArenasOfPythonInOneMappingWithChunksAreItsOwn) {
  constexpr std::uint64_t kArena = 1 << 20;
  Inspection inspection = process();
  inspection.regions.push_back(region(0x60000, 0x1000, "/usr/bin/python3.11", 0x1000));
  // An arena, a chunk, two arenas, a chunk, and what has no arena's size.
  inspection.regions.push_back(region(0x100000, 3 * kArena + 0x6000, "", kArena + 0x6000));
  inspection.heap_mappings.push_back(Address{0x100000});
  inspection.heap_ranges = {{Address{0x10000}, Address{0x18000}},
                            {Address{0x200000}, Address{0x202000}},
                            {Address{0x402000}, Address{0x404000}}};
  inspection.heap_resident = model::ResidentMap({{Address{0x180000}, Address{0x280000}}});
  make_memory_ledgers(inspection);
  const auto* row =
      find(inspection.resident_ledger, MemoryKind::kOtherAnonymous, "CPython obmalloc");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->bytes, 0x80000 + 0x280000 - 0x202000);
  EXPECT_EQ(row->tag, model::FigureTag::kEstimated);
  EXPECT_EQ(find(inspection.mapped_ledger, MemoryKind::kOtherAnonymous, "CPython obmalloc")->bytes,
            static_cast<std::int64_t>(3 * kArena));
  EXPECT_EQ(sum_of_kind(inspection.mapped_ledger, MemoryKind::kHeapRest), 0x3000 + 0x6000);
}

}  // namespace
}  // namespace mini::explain
