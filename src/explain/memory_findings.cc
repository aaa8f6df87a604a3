#include "explain/memory_findings.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/memory_finding_words.h"

namespace mini::explain {
namespace {

using model::Inspection;
using model::PieceTotals;
using model::PieceUse;

constexpr double kOfDamage = 100;                // before everything that is only large
constexpr Bytes kDefaultThreshold = kKiB * 128;  // of glibc's, both

Bytes free_resident(const model::TotalsByUse& totals) {
  Bytes sum;
  for (std::size_t use = 0; use < model::kPieceUseCount; ++use) {
    if (model::is_free(static_cast<PieceUse>(use))) sum += totals.at(use).resident;
  }
  return sum;
}

std::string advice_on_damage(const Inspection& inspection, const model::HeapDamage& first) {
  if (inspection.is_of_one_moment() && inspection.may_be_motion) {
    return inspection.source == Inspection::Source::kCore
               ? "Compare with another core: what is there again is damage."
               : "Inspect once more: what is there again is damage.";
  }
  if (inspection.is_of_one_moment() && first.kind == model::DamageKind::kTwice) {
    return "A block there was freed twice: look for who frees it.";
  }
  if (inspection.is_of_one_moment()) {
    return "Look for writes past the end of the block before that address, or into a block that "
           "was freed.";
  }
  if (inspection.heap_reading == model::HeapReading::kTooLarge) {
    return "Inspect with --max-copy to be sure.";
  }
  return "Inspect without --no-stop and --max-pause to be sure.";
}

std::string damage_words(const Inspection& inspection, std::string places) {
  if (!inspection.is_of_one_moment()) {
    return places + " in the heap disagree, perhaps because the process went on while it was read.";
  }
  if (!inspection.may_be_motion) return fmt::format("The heap is damaged in {}.", places);
  return places + " in the heap did not fit together: damage, or a thread was just changing it.";
}

void find_damage(const Inspection& inspection, const model::Heap& heap, std::vector<Finding>& out) {
  if (heap.damages_count == 0) return;
  const model::HeapDamage& first = heap.damages.front();  // tells the most of the cause
  out.push_back(
      {.kind = "damage",
       .statement = damage_words(inspection, counted(heap.damages_count, "place")),
       .evidence = fmt::format("At {}, {} is {}; it should be {}.", format_address(first.where),
                               first.field, first.found, first.expected),
       .advice = advice_on_damage(inspection, first),
       .weight = kOfDamage});
}

void find_motion(const Inspection& inspection, std::vector<Finding>& out) {
  if (inspection.places_in_motion == 0) return;
  out.push_back(
      {.kind = "in_motion",
       .statement = fmt::format("Threads were just changing the heap: {} did not fit together yet.",
                                counted(inspection.places_in_motion, "place")),
       .evidence = fmt::format("None of them was so in each of {} readings, as damage is.",
                               format_count(inspection.heap_readings)),
       .advice = "A few blocks there may be counted as what they no longer are.",
       .weight = 0.005});
}

bool is_minimalloc(const Inspection& inspection) {
  return inspection.heap && inspection.heap->allocator == "libminimalloc";
}

Bytes resident_of_main_arena(const Inspection& inspection, PieceUse use) {
  const auto& arenas = inspection.account.by_arena;
  return arenas.empty() ? Bytes{} : arenas.front().at(static_cast<std::size_t>(use)).resident;
}

/// Whether libminimalloc keeps so many free pages for the next blocks. What is more, as where they
/// lie between blocks in use, is free for another reason, and stays with MINIMALLOC_RETAIN too.
bool may_retain_less(const Inspection& inspection) {
  const Bytes free = resident_of_main_arena(inspection, PieceUse::kFreePages);
  Bytes used;
  for (const model::PieceTotals& of_use : inspection.account.total()) used += of_use.size;
  used -= inspection.account.total().at(static_cast<std::size_t>(PieceUse::kFreePages)).size;
  constexpr Bytes kLargeHeap = kMiB * 8;  // one that may have huge pages
  const Bytes share{used.count / 24};
  const Bytes usual = kMiB + (used < kLargeHeap ? share : std::max(share, kMiB * 2));
  return kMiB < free && free <= usual;
}

/// A trim threshold helps where most is at the end of glibc's main arena, and a rule of malloc's
/// own has raised it.
std::string_view advice_on_returnable(const Inspection& inspection, const model::Heap& heap) {
  if (is_minimalloc(inspection)) {
    if (may_retain_less(inspection)) {
      return "Call malloc_trim(0) after the work that needed the memory, or have less kept: "
             "MINIMALLOC_RETAIN=1M.";
    }
    return "Call malloc_trim(0) after the work that needed the memory: what is free between blocks "
           "in use is kept long.";
  }
  const model::HeapParameters& parameters = heap.parameters;
  if (!parameters.thresholds_are_fixed && parameters.trim_threshold > kDefaultThreshold &&
      inspection.account.returnable < resident_of_main_arena(inspection, PieceUse::kTop) * 2) {
    return "Call malloc_trim(0) after the work that needed the memory, or have it given back "
           "earlier: GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072.";
  }
  return "Call malloc_trim(0) after the work that needed the memory: a free gives back only what "
         "is at the end of an arena.";
}

void find_returnable(const Inspection& inspection, const model::Heap& heap,
                     std::vector<Finding>& out) {
  const Bytes bytes = inspection.account.returnable;
  if (bytes < kWorthATry || share_of(inspection, bytes) < kNoticeable) return;
  out.push_back({.kind = "returnable",
                 .statement = fmt::format("malloc_trim(0) would give {} back to the system.",
                                          format_bytes(bytes)),
                 .evidence = fmt::format(
                     "So much is in whole pages of free {}: {}.",
                     is_minimalloc(inspection) ? "memory" : "chunks and of the main arena's top",
                     share_words(inspection, bytes)),
                 .advice = std::string(advice_on_returnable(inspection, heap)),
                 .weight = share_of(inspection, bytes)});
}

/// Where there are more blocks than those of the greatest pin, how many; and the article.
std::string around_words(const model::HeapAccount& account, const model::HeapPin& greatest) {
  if (account.pinning_blocks <= greatest.blocks) return "The";
  return fmt::format("It lies around {} in use, of {} on average; the",
                     counted(account.pinning_blocks, "block"),
                     format_bytes(Bytes{account.pinning_bytes.count / account.pinning_blocks}));
}

void find_pinned(const Inspection& inspection, std::vector<Finding>& out) {
  const Bytes bytes = inspection.account.pinned;
  if (bytes < kWorthATry || share_of(inspection, bytes) < kNoticeable) return;
  const auto& pins = inspection.account.pins;
  std::string evidence = "Free chunks share their pages with blocks in use.";
  if (!pins.empty()) {
    evidence =
        fmt::format("{} most is kept by {} from {} on ({}): {} around it.",
                    around_words(inspection.account, pins.front()),
                    counted(pins.front().blocks, "block"), format_address(pins.front().first_block),
                    format_bytes(pins.front().size), format_bytes(pins.front().pinned));
  }
  out.push_back({.kind = "pinned",
                 .statement = fmt::format("{} is free but cannot be given back, {}.",
                                          format_bytes(bytes), share_words(inspection, bytes)),
                 .evidence = std::move(evidence),
                 .advice = "Allocate what lives long before what lives short, or apart from it.",
                 .weight = share_of(inspection, bytes)});
}

void find_arenas(const Inspection& inspection, const model::Heap& heap, std::vector<Finding>& out) {
  Bytes kept;
  std::uint64_t arenas = 0;
  std::uint64_t abandoned = 0;
  for (std::size_t i = 0; i < inspection.account.by_arena.size(); ++i) {
    const model::HeapArena& arena = heap.arenas[i];
    if (arena.is_main) continue;
    ++arenas;
    if (arena.attached_threads == 0U) ++abandoned;
    // What is in caches is its threads', whatever arena it is from.
    const model::TotalsByUse& totals = inspection.account.by_arena[i];
    kept += free_resident(totals) - totals.at(static_cast<std::size_t>(PieceUse::kCached)).resident;
  }
  if (arenas == 0 || kept < kWorthATry || share_of(inspection, kept) < kNoticeable) return;
  out.push_back(
      {.kind = "arenas",
       .statement = fmt::format("{} {} {} that is free.", counted(arenas, "thread arena"),
                                arenas == 1 ? "holds" : "hold", format_bytes(kept)),
       .evidence = fmt::format("{}; the threads of {} have ended.", share_words(inspection, kept),
                               abandoned == 0 ? std::string("none") : format_count(abandoned)),
       .advice = fmt::format("Fewer arenas share their free memory: MALLOC_ARENA_MAX={}.",
                             arenas == 1 ? 1 : 2),
       .weight = share_of(inspection, kept)});
}

/// Resident, and free in chunks that no block below the threshold that malloc begins with can have
/// left alone, or at the end of the main arena, which the trim threshold keeps.
Bytes free_in_large_chunks(const Inspection& inspection) {
  Bytes sum = resident_of_main_arena(inspection, PieceUse::kTop);
  const auto& sizes = inspection.account.sizes;
  for (std::size_t i = std::bit_width(kDefaultThreshold.count); i < sizes.size(); ++i) {
    sum += sizes.at(i).free.resident;
  }
  return sum;
}

void find_threshold(const Inspection& inspection, const model::Heap& heap,
                    std::vector<Finding>& out) {
  const model::HeapParameters& parameters = heap.parameters;
  const bool has_grown =
      !parameters.thresholds_are_fixed && parameters.mmap_threshold > kDefaultThreshold;
  const Bytes free = free_in_large_chunks(inspection);
  if (!has_grown || free < kWorthATry || share_of(inspection, free) < kNoticeable) return;
  out.push_back({.kind = "mmap_threshold",
                 .statement = fmt::format("Blocks up to {} no longer get mappings of their own.",
                                          format_bytes(parameters.mmap_threshold)),
                 .evidence = fmt::format(
                     "A free of a mapping that large has raised M_MMAP_THRESHOLD from 128 "
                     "KiB, and the trim threshold to {}.",
                     format_bytes(parameters.trim_threshold)),
                 .advice = "To have large blocks given back at once, fix it: "
                           "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072.",
                 .weight = share_of(inspection, free) / 2});
}

std::string threshold_words(Bytes threshold) {
  constexpr Bytes kNever{std::uint64_t{1} << 62};
  return threshold >= kNever ? "never" : fmt::format("above {} only", format_bytes(threshold));
}

/// Of the two thresholds, each where it is what keeps memory.
void find_fixed_thresholds(const Inspection& inspection, const model::Heap& heap,
                           std::vector<Finding>& out) {
  const model::HeapParameters& parameters = heap.parameters;
  if (!parameters.thresholds_are_fixed || heap.arenas.empty()) return;
  const auto matters = [&](Bytes bytes) {
    return bytes >= kWorthATry && share_of(inspection, bytes) >= kNoticeable;
  };
  const Bytes top = resident_of_main_arena(inspection, PieceUse::kTop);
  if (matters(top) && heap.arenas.front().top_size <= parameters.trim_threshold) {
    out.push_back(
        {.kind = "trim_threshold",
         .statement =
             fmt::format("{} at the end of the main arena stays: its end is given back {}.",
                         format_bytes(top), threshold_words(parameters.trim_threshold)),
         .evidence = fmt::format("M_TRIM_THRESHOLD no longer adapts, since the program or its "
                                 "environment has set one of malloc's thresholds; the end is {}.",
                                 format_bytes(heap.arenas.front().top_size)),
         .advice = "Set it lower (GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072), or call "
                   "malloc_trim(0).",
         .weight = share_of(inspection, top)});
  }
  constexpr auto kLarge = static_cast<std::size_t>(PieceUse::kLargebin);
  const Bytes large = inspection.account.total().at(kLarge).resident;
  if (matters(large) && parameters.mmap_threshold > kDefaultThreshold) {
    out.push_back(
        {.kind = "mmap_threshold",
         .statement = fmt::format("Blocks get mappings of their own {}.",
                                  threshold_words(parameters.mmap_threshold)),
         .evidence = fmt::format("M_MMAP_THRESHOLD is fixed there; {} of memory is in large free "
                                 "chunks that blocks with mappings would have given back.",
                                 format_bytes(large)),
         .advice = "Set it lower: GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072.",
         .weight = share_of(inspection, large) / 2});
  }
}

void find_huge_pages(const Inspection& inspection, std::vector<Finding>& out) {
  Bytes huge;
  for (const model::MemoryRegion& region : inspection.regions) huge += region.huge;
  if (huge < kMiB * 16 || share_of(inspection, huge) < 4 * kNoticeable) return;
  out.push_back({.kind = "huge_pages",
                 .statement = fmt::format("{} is in huge pages, {}.", format_bytes(huge),
                                          share_words(inspection, huge)),
                 .evidence = "Each takes 2 MiB of memory once a byte of it is touched.",
                 .advice = fmt::format("To see what they cost, run once with {}.",
                                       is_minimalloc(inspection)
                                           ? "MINIMALLOC_HUGE_PAGES=never"
                                           : "the kernel's transparent_hugepage/enabled set to "
                                             "never"),
                 .weight = share_of(inspection, huge) / 4});
}

void find_unseen_mmapped(const model::Heap& heap, std::vector<Finding>& out) {
  if (heap.mmapped_found != heap.parameters.mmapped_count) {
    out.push_back({.kind = "mmapped_not_found",
                   .statement = fmt::format("{} of {} mmapped chunks were found.",
                                            format_count(heap.mmapped_found),
                                            format_count(heap.parameters.mmapped_count)),
                   .evidence = fmt::format("malloc counts {} in them, {} was found.",
                                           format_bytes(heap.parameters.mmapped),
                                           format_bytes(heap.mmapped_bytes_found)),
                   .advice = "The rest is in the row of other anonymous memory.",
                   .weight = 0.01});
  } else if (heap.mmapped_bytes_found != heap.parameters.mmapped) {
    out.push_back(
        {.kind = "mmapped_size",
         .statement = fmt::format("malloc counts {} in its mmapped chunks; they say {}.",
                                  format_bytes_exact(heap.parameters.mmapped),
                                  format_bytes_exact(heap.mmapped_bytes_found)),
         .evidence = "A thread that was just mapping one, or the size of one is overwritten.",
         .advice = "Inspect once more: what stays wrong is damage.",
         .weight = 0.01});
  }
}

void find_unseen_in_arenas(const model::Heap& heap, std::vector<Finding>& out) {
  for (const model::HeapArena& arena : heap.arenas) {
    if (arena.not_found == Bytes{}) continue;
    out.push_back({.kind = "arena_not_found",
                   .statement = fmt::format("{} of the main arena were not found.",
                                            format_bytes(arena.not_found)),
                   .evidence = fmt::format("malloc counts {} in it: the break could not be moved, "
                                           "and malloc mapped memory instead.",
                                           format_bytes(arena.system)),
                   .advice = "The rest is in the row of other anonymous memory.",
                   .weight = 0.01});
  }
}

void find_miscounts(const model::Heap& heap, std::vector<Finding>& out) {
  for (const model::HeapCounter& counter : heap.counters) {
    if (counter.counted == counter.found || counter.in_motion) continue;
    out.push_back({.kind = "counter",
                   .statement = fmt::format("{} counts {} {}; {} were found.", heap.allocator,
                                            format_count(counter.counted), counter.name,
                                            format_count(counter.found)),
                   .evidence = "A thread that was just changing them, or damage.",
                   .advice = "Inspect once more: what stays wrong is damage.",
                   .weight = 0.01});
  }
}

void find_unseen_caches(const model::Heap& heap, std::vector<Finding>& out) {
  if (heap.caches_not_found != 0 && !heap.counters.empty()) {
    out.push_back({.kind = "caches_not_found",
                   .statement = fmt::format("{} were just moving blocks.",
                                            counted(heap.caches_not_found, "thread")),
                   .evidence = "What is in their caches counts as live.",
                   .advice = "Inspect once more.",
                   .weight = 0.02});
  } else if (heap.caches_not_found != 0) {
    out.push_back({.kind = "caches_not_found",
                   .statement = fmt::format("The caches of {} were not looked for.",
                                            counted(heap.caches_not_found, "thread")),
                   .evidence =
                       "Without a thread's registers its cache is not known, and the blocks "
                       "in it count as live.",
                   .advice = "Inspect without --no-stop to see them.",
                   .weight = 0.02});
  }
}

void find_unseen(const model::Heap& heap, std::vector<Finding>& out) {
  find_unseen_mmapped(heap, out);
  find_unseen_in_arenas(heap, out);
  find_miscounts(heap, out);
  find_unseen_caches(heap, out);
}

}  // namespace

std::vector<Finding> find_in_inspection(const Inspection& inspection) {
  std::vector<Finding> findings;
  if (inspection.heap) {
    find_damage(inspection, *inspection.heap, findings);
    find_motion(inspection, findings);
    find_returnable(inspection, *inspection.heap, findings);
    find_pinned(inspection, findings);
    find_arenas(inspection, *inspection.heap, findings);
    find_cached(inspection, findings);
    find_threshold(inspection, *inspection.heap, findings);
    find_fixed_thresholds(inspection, *inspection.heap, findings);
    find_unseen(*inspection.heap, findings);
  }
  find_huge_pages(inspection, findings);
  find_most(inspection, findings);
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::weight);
  return findings;
}

}  // namespace mini::explain
