// What most of the memory is: blocks in use, or nothing of malloc's.
#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "explain/memory_finding_words.h"
#include "explain/memory_ledger.h"

namespace mini::explain {
namespace {

using model::Inspection;
using model::MemoryKind;

constexpr double kMost = 0.5;

/// Memory that is not malloc's, of one sort.
struct Elsewhere {
  MemoryKind kind;
  std::optional<MemoryKind> other_kind;
  Bytes least;  // to be worth a word
  std::string_view what;
  std::string_view advice;

  bool has(MemoryKind one) const { return one == kind || one == other_kind; }
};
constexpr std::array<Elsewhere, 4> kElsewhere = {{
    {MemoryKind::kOtherAnonymous,
     {},
     kWorthATry,
     "anonymous memory of others",
     "heapspy trace -p shows who maps such memory while it grows."},
    {MemoryKind::kProgramFile,
     {},
     kMiB * 16,  // a small program is mostly libraries
     "of files that are mapped",
     "Where memory is short, the kernel takes back pages that it can read again from the file; "
     "munmap gives all back."},
    {MemoryKind::kSharedMemory,
     {},
     kWorthATry,
     "shared memory",
     "It counts in each process that has touched it, and stays until the last has unmapped it and "
     "its name is removed."},
    {MemoryKind::kThreadStack, MemoryKind::kMainStack, kWorthATry, "stacks of threads",
     "A stack keeps what its deepest calls have touched until its thread ends: have fewer threads, "
     "or less in local variables."},
}};

/// "; the most is of /data/index, 70 MiB": of several rows of a sort; "" where none has a name.
std::string whose_most(const std::vector<model::MemoryRow>& rows, const Elsewhere& sort) {
  const model::MemoryRow* most = nullptr;
  for (const model::MemoryRow& row : rows) {
    if (!sort.has(row.kind) || row.owner.empty() || row.bytes <= 0) continue;
    if (most == nullptr || row.bytes > most->bytes) most = &row;
  }
  if (most == nullptr) return "";
  return fmt::format("; the most is of {}, {}", most->owner,
                     format_bytes(Bytes{static_cast<std::uint64_t>(most->bytes)}));
}

/// Of malloc's mmapped chunks, those that were not found: they are among other anonymous memory.
Bytes unseen_mmapped(const Inspection& inspection) {
  if (!inspection.heap) return {};
  const Bytes all = inspection.heap->parameters.mmapped;
  return all - std::min(all, inspection.heap->mmapped_bytes_found);
}

void find_elsewhere(const Inspection& inspection, std::vector<Finding>& out) {
  const std::vector<model::MemoryRow>& rows = inspection.resident_ledger;
  for (const Elsewhere& sort : kElsewhere) {
    const std::int64_t sum =
        sum_of_kind(rows, sort.kind) + (sort.other_kind ? sum_of_kind(rows, *sort.other_kind) : 0);
    const Bytes found{static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 0))};
    const Bytes bytes =
        found - std::min(found, sort.has(MemoryKind::kOtherAnonymous) ? unseen_mmapped(inspection)
                                                                      : Bytes{});
    if (bytes < sort.least || share_of(inspection, bytes) < kMost) continue;
    out.push_back(
        {.kind = "not_malloc",
         .statement = fmt::format("Most of the memory is not malloc's: {} is {}.",
                                  format_bytes(bytes), sort.what),
         .evidence = fmt::format("{}{}.", share_words(inspection, bytes), whose_most(rows, sort)),
         .advice = std::string(sort.advice),
         .weight = share_of(inspection, bytes)});
  }
}

void find_live(const Inspection& inspection, std::vector<Finding>& out) {
  const model::PieceTotals live =
      inspection.account.total().at(static_cast<std::size_t>(model::PieceUse::kLive));
  const Bytes bytes = live.resident - live.resident_header;
  if (bytes < kWorthATry || share_of(inspection, bytes) < kMost) return;
  out.push_back(
      {.kind = "live",
       .statement =
           fmt::format("Most of the memory is in blocks that are in use: {}.", format_bytes(bytes)),
       .evidence = fmt::format("{}, in {}; no allocator can give that back.",
                               share_words(inspection, bytes), counted(live.pieces, "block")),
       .advice = "heapspy record, from the program's start on, says which code asked for them; "
                 "heapspy inspect --leaks, whether something still leads to them.",
       .weight = share_of(inspection, bytes)});
}

}  // namespace

void find_most(const Inspection& inspection, std::vector<Finding>& out) {
  find_live(inspection, out);
  find_elsewhere(inspection, out);
}

}  // namespace mini::explain
