// Heap rows come from the pieces, page by page; all others from the kernel's figure for each
// mapping. What a heap's mappings have beyond their pieces is a row, and what the kernel's total
// has beyond its mappings another: nothing is left over and nothing is counted twice.
#include "explain/memory_ledger.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "explain/memory_owner.h"
#include "explain/modules.h"

namespace mini::explain {
namespace {

using model::FigureTag;
using model::Inspection;
using model::MemoryKind;
using model::MemoryRegion;
using model::MemoryRow;
using model::PieceTotals;
using model::PieceUse;

struct Amounts {
  std::int64_t resident = 0;
  std::int64_t mapped = 0;
};

std::int64_t signed_count(Bytes bytes) {
  return static_cast<std::int64_t>(bytes.count);
}

/// Rows of both ledgers by what they are.
class Rows {
 public:
  void add(MemoryKind kind, const std::string& owner, FigureTag tag, Amounts amounts) {
    auto& row = rows_[{kind, owner}];
    row.first = std::max(row.first, tag);
    row.second.resident += amounts.resident;
    row.second.mapped += amounts.mapped;
  }

  /// Largest first within a kind; empty ones left out.
  std::vector<MemoryRow> take(std::int64_t Amounts::* which) const {
    std::vector<MemoryRow> list;
    for (const auto& [key, row] : rows_) {
      if (row.second.*which == 0) continue;
      list.push_back({key.first, row.second.*which, key.second, row.first});
    }
    std::ranges::stable_sort(list, [](const MemoryRow& a, const MemoryRow& b) {
      return a.kind != b.kind ? a.kind < b.kind : a.bytes > b.bytes;
    });
    return list;
  }

 private:
  std::map<std::pair<MemoryKind, std::string>, std::pair<FigureTag, Amounts>> rows_;
};

MemoryKind kind_of(PieceUse use) {
  switch (use) {
    case PieceUse::kLive:
      return MemoryKind::kLiveBlocks;
    case PieceUse::kCached:
      return MemoryKind::kCachedBlocks;
    case PieceUse::kFastbin:
    case PieceUse::kUnsorted:
    case PieceUse::kSmallbin:
    case PieceUse::kLargebin:
    case PieceUse::kSlab:
    case PieceUse::kDepot:
    case PieceUse::kFreePages:
      return MemoryKind::kFreeInBins;
    case PieceUse::kTop:
      return MemoryKind::kFreeTop;
    case PieceUse::kAllocator:
    case PieceUse::kSlabRest:
      return MemoryKind::kAllocatorOverhead;
    case PieceUse::kForeign:
      return MemoryKind::kForeignBreak;
    case PieceUse::kUnknown:
      return MemoryKind::kUnknownHeap;
  }
  return MemoryKind::kUnknownHeap;
}

/// Adds an arena's rows; returns all that they cover.
Amounts add_arena(Rows& rows, const model::TotalsByUse& totals, const std::string& owner,
                  bool mmapped) {
  Amounts covered;
  for (std::size_t i = 0; i < model::kPieceUseCount; ++i) {
    const PieceTotals& total = totals.at(i);
    MemoryKind kind = kind_of(static_cast<PieceUse>(i));
    if (mmapped && kind == MemoryKind::kLiveBlocks) kind = MemoryKind::kMmappedBlocks;
    const FigureTag tag =
        kind == MemoryKind::kUnknownHeap ? FigureTag::kUnknown : FigureTag::kMeasured;
    rows.add(kind, owner, tag,
             {signed_count(total.resident) - signed_count(total.resident_header),
              signed_count(total.size) - signed_count(total.header)});
    rows.add(MemoryKind::kAllocatorOverhead, owner, FigureTag::kMeasured,
             {signed_count(total.resident_header), signed_count(total.header)});
    covered.resident += signed_count(total.resident);
    covered.mapped += signed_count(total.size);
  }
  return covered;
}

Amounts add_heap(Rows& rows, const Inspection& inspection) {
  Amounts covered;
  if (!inspection.heap) return covered;
  const auto add = [&](const model::TotalsByUse& totals, const std::string& owner, bool mmapped) {
    const Amounts more = add_arena(rows, totals, owner, mmapped);
    covered.resident += more.resident;
    covered.mapped += more.mapped;
  };
  for (std::uint32_t i = 0; i < inspection.account.by_arena.size(); ++i) {
    add(inspection.account.by_arena[i], arena_name(*inspection.heap, i), false);
  }
  add(inspection.account.without_arena, "mmapped chunks", true);
  return covered;
}

bool is_shared_memory(const model::Mapping& mapping) {
  static constexpr std::string_view kPlaces[] = {"/dev/shm/", "/memfd:", "/SYSV", "/dev/zero",
                                                 "/anon_hugepage"};
  return mapping.shared &&
         (mapping.path.empty() || std::ranges::any_of(kPlaces, [&](std::string_view place) {
            return mapping.path.starts_with(place);
          }));
}

/// Tells what heapspy's agent maps in a process that is being recorded. By name; and the frame
/// information of a module, which the agent maps once more (src/unwind/self/module_table.cc): a
/// read-only part of a file, apart from the file's image.
class AgentMappings {
 public:
  explicit AgentMappings(const std::vector<MemoryRegion>& regions)
      : regions_(regions), is_here_(std::ranges::any_of(regions, [](const MemoryRegion& region) {
          return is_of_agent(region.mapping.path);
        })) {
    for (const MemoryRegion& region : regions) {
      if (region.mapping.protection.execute) modules_.insert(file_of(region.mapping));
    }
  }

  /// "" of what is not the agent's.
  std::string owner_of(std::size_t i) const {
    if (!is_here_) return "";
    const model::Mapping& mapping = regions_[i].mapping;
    if (is_of_agent(mapping.path)) return mapping.path;
    return is_second_view(i) ? "frame information of " + mapping.path : "";
  }

 private:
  bool is_second_view(std::size_t i) const {
    const model::Mapping& mapping = regions_[i].mapping;
    const bool is_read_only = mapping.protection == model::Protection{.read = true};
    if (mapping.shared || !is_read_only || !mapping.path.starts_with('/')) return false;
    if (i > 0 && is_same_image(regions_[i - 1].mapping, mapping)) return false;
    if (i + 1 < regions_.size() && is_same_image(mapping, regions_[i + 1].mapping)) return false;
    return modules_.contains(file_of(mapping));
  }
  using File = std::pair<std::uint64_t, std::string_view>;  // inode and path
  static File file_of(const model::Mapping& mapping) { return {mapping.inode, mapping.path}; }
  static bool is_same_image(const model::Mapping& first, const model::Mapping& second) {
    return first.range.end == second.range.begin && first.path == second.path;
  }

  const std::vector<MemoryRegion>& regions_;
  bool is_here_;
  std::set<File> modules_;  // files with code that is mapped
};

struct Owner {
  MemoryKind kind;
  std::string name;
  FigureTag tag = FigureTag::kMeasured;
};

/// Zeros behind a file's data are that file's ("bss"). The kernel makes one mapping of them and of
/// what is mapped behind them, which then counts as what most of it is.
bool is_mostly_bss(AddressRange range, Address data_end) {
  if (data_end == Address{}) return true;
  return data_end > range.begin && (data_end - range.begin) * 2 >= range.size();
}

Owner owner_of(const MemoryRegion& region, const MemoryRegion* before, const MemoryOwners& owners) {
  const std::string& path = region.mapping.path;
  if (path == "[stack]") return {MemoryKind::kMainStack, ""};
  if (region.stack_of) {
    return {MemoryKind::kThreadStack, fmt::format("thread {}", *region.stack_of)};
  }
  if (is_shared_memory(region.mapping)) return {MemoryKind::kSharedMemory, path};
  if (model::is_path_of_file(path)) return {MemoryKind::kProgramFile, path};
  if (path.starts_with("[v")) return {MemoryKind::kKernel, path};
  if (path == "[heap]") {
    const std::string by = owners.owner_of(region.mapping);
    if (!by.empty()) return {MemoryKind::kOtherAnonymous, by, FigureTag::kEstimated};
  }
  if (!path.empty()) return {MemoryKind::kOtherAnonymous, path};
  const bool is_bss = before != nullptr && !before->mapping.shared &&
                      before->mapping.range.end == region.mapping.range.begin &&
                      before->mapping.protection.write && before->mapping.path.starts_with('/') &&
                      region.mapping.protection == before->mapping.protection &&
                      is_mostly_bss(region.mapping.range, before->mapping.data_end);
  if (is_bss) return {MemoryKind::kProgramFile, before->mapping.path};
  std::string owner = owners.owner_of(region.mapping);
  const FigureTag tag = owner.empty() ? FigureTag::kMeasured : FigureTag::kEstimated;
  return {MemoryKind::kOtherAnonymous, std::move(owner), tag};
}

/// Whether pieces lie in a mapping.
bool holds_pieces(const Inspection& inspection, const MemoryRegion& region) {
  return std::ranges::binary_search(inspection.heap_mappings, region.mapping.range.begin);
}

/// Takes out of a heap's mapping what is another allocator's: the kernel makes one mapping of
/// neighbours that are alike, such as CPython's arenas and glibc's mmapped chunks.
void split_off_others(Rows& rows, const Inspection& inspection, const MemoryRegion& region,
                      const MemoryOwners& owners, Amounts& rest) {
  if (!region.mapping.path.empty()) return;
  const auto take = [&](AddressRange gap) {
    const std::string owner = gap.empty() ? "" : owners.owner_by_shape(gap);
    if (owner.empty()) return;
    const Amounts amounts{signed_count(inspection.heap_resident.resident(gap)),
                          signed_count(gap.size())};
    rows.add(MemoryKind::kOtherAnonymous, owner, FigureTag::kEstimated, amounts);
    rest.resident -= amounts.resident;
    rest.mapped -= amounts.mapped;
  };
  const AddressRange all = region.mapping.range;
  Address gap_begin = all.begin;
  auto part = std::ranges::lower_bound(inspection.heap_ranges, all.begin, {}, &AddressRange::end);
  for (; part != inspection.heap_ranges.end() && part->begin < all.end; ++part) {
    if (part->begin > gap_begin) take({gap_begin, part->begin});
    gap_begin = std::max(gap_begin, part->end);
  }
  if (gap_begin < all.end) take({gap_begin, all.end});
}

}  // namespace

std::string arena_name(const model::Heap& heap, std::uint32_t arena) {
  if (arena >= heap.arenas.size()) return "mmapped chunks";
  if (!heap.arenas[arena].name.empty()) return heap.arenas[arena].name;
  return heap.arenas[arena].is_main ? "main arena" : fmt::format("arena {}", arena);
}

std::string arena_name(const model::Inspection& inspection, std::uint32_t arena) {
  return inspection.heap ? arena_name(*inspection.heap, arena) : "";
}

std::int64_t sum_of_kind(const std::vector<MemoryRow>& rows, MemoryKind kind) {
  std::int64_t sum = 0;
  for (const MemoryRow& row : rows) sum += row.kind == kind ? row.bytes : 0;
  return sum;
}

void make_memory_ledgers(Inspection& inspection) {
  Rows rows;
  Amounts rest = add_heap(rows, inspection);  // of the heaps' mappings, what pieces do not cover
  rest = {-rest.resident, -rest.mapped};
  const MemoryOwners owners(inspection);
  const AgentMappings agent(inspection.regions);
  Amounts total;
  const MemoryRegion* before = nullptr;
  for (std::size_t i = 0; i < inspection.regions.size(); ++i) {
    const MemoryRegion& region = inspection.regions[i];
    const Amounts amounts{signed_count(region.resident), signed_count(region.mapping.range.size())};
    total.resident += amounts.resident;
    total.mapped += amounts.mapped;
    if (holds_pieces(inspection, region)) {
      rest.resident += amounts.resident;
      rest.mapped += amounts.mapped;
      split_off_others(rows, inspection, region, owners, rest);
    } else {
      Owner owner = owner_of(region, before, owners);
      if (std::string own = agent.owner_of(i); !own.empty()) {
        owner = {MemoryKind::kAgent, std::move(own)};
      } else if (owner.kind == MemoryKind::kProgramFile && is_agent_file(owner.name)) {
        owner.kind = MemoryKind::kAgent;  // its zeros
      }
      rows.add(owner.kind, owner.name, owner.tag, amounts);
    }
    before = &region;
  }
  rows.add(MemoryKind::kHeapRest, "", FigureTag::kDerived, rest);
  const std::int64_t resident =
      inspection.resident ? signed_count(*inspection.resident) : total.resident;
  rows.add(MemoryKind::kRemainder, "", FigureTag::kDerived,
           {resident - total.resident, signed_count(inspection.mapped) - total.mapped});
  if (inspection.resident) inspection.resident_ledger = rows.take(&Amounts::resident);
  inspection.mapped_ledger = rows.take(&Amounts::mapped);
}

}  // namespace mini::explain
