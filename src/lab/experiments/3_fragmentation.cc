// 3: every other of a hundred short blocks is freed: who can use the gaps.
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/heap_strip.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/stage_plan.h"
#include "lab/staged_run.h"
#include "model/malloc_arithmetic.h"
#include "model/malloc_versions.h"

namespace mini::lab {
namespace {

constexpr std::uint64_t kBlocks = 100;
constexpr std::uint64_t kGaps = kBlocks / 2;
constexpr Bytes kShort{32};
constexpr Bytes kLong{64};
constexpr std::string_view kProgram = "every_other";
constexpr std::string_view kSources[] = {"every_other.c"};
constexpr std::string_view kTerms[] = {"fragmentation", "free list", "first fit",   "chunk",
                                       "coalescing",    "fast bin",  "thread cache"};

constexpr std::string_view kLongInGaps = "long blocks in the gaps";
constexpr std::string_view kShortInGaps = "short blocks in the gaps";
constexpr std::string_view kLongInAll = "long blocks where all is free";

// What glibc has joined of the hundred when all are free. The chunks in the thread's cache, every
// other one from the first on, are not: what lies between them stays as it is.
Prediction joined_by_glibc(const Bench& bench, Bytes gap, Bytes needed) {
  constexpr std::string_view kWhat = "glibc: of 64, when all is free";
  constexpr std::string_view kQuestion = "And on glibc's malloc?";
  const model::FreeLists lists = model::free_lists(bench.machine.glibc_version);
  if (lists.fast_bins) {
    return {std::string(kWhat), std::string(kQuestion), count(0),
            "fast bins and the thread's cache are not joined until a large request comes"};
  }
  const std::uint64_t kept_apart = 2 * lists.cached_of_a_size - 1;
  const Bytes joined = gap * (kBlocks - kept_apart);
  const std::uint64_t fit = std::min(joined.count / needed.count, kGaps);
  return {std::string(kWhat), std::string(kQuestion), count(fit),
          fmt::format("the {} in the thread's cache keep {} chunks apart; the rest is one of {}",
                      lists.cached_of_a_size, kept_apart, joined.count)};
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const Bytes gap = model::chunk_of_request(kShort).value_or(Bytes{});
  const Bytes needed = model::chunk_of_request(kLong).value_or(Bytes{});
  const Bytes stage_gap = stage_chunk(5, kShort);
  const Bytes stage_needed = stage_chunk(5, kLong);
  const std::uint64_t fit = (stage_gap * kBlocks).count / stage_needed.count;
  return std::vector<Prediction>{
      {"glibc: free chunks", "Every other block is free. How many free chunks on glibc's malloc?",
       count(kGaps), "100 / 2; none has a free neighbour"},
      {"glibc: free bytes in them", "How many bytes are free in them, in sum?", bytes(gap * kGaps),
       fmt::format("50 x {} ({})", gap.count, chunk_in_words(kShort))},
      {"glibc: blocks of 64 in the gaps", "Of 50 blocks of 64 bytes, how many lie in the gaps?",
       count(0), fmt::format("each needs {}, and each gap is {}", needed.count, gap.count)},
      {"glibc: blocks of 32 in the gaps", "And of 50 blocks of 32 bytes?", count(kGaps),
       "what was freed is used first, and fits"},
      {"stage 3: blocks of 64 in the gaps", "On stage 3, of 50 blocks of 64 bytes?", count(0),
       fmt::format("each needs {}, and each gap is {}", stage_needed.count, stage_gap.count)},
      {"stage 3: blocks of 32 in the gaps", "And of 50 blocks of 32 bytes?", count(kGaps),
       "first fit: each free chunk is long enough"},
      {"stage 4: of 64, when all is free",
       "Now all hundred are free. Of 50 blocks of 64 bytes, how many lie there on stage 4?",
       count(0), "a hundred chunks side by side, and each is too short by itself"},
      {"stage 5: of 64, when all is free", "And on stage 5?", count(std::min(fit, kGaps)),
       fmt::format("the hundred have become one of {}: {} would fit", (stage_gap * kBlocks).count,
                   fit)},
      joined_by_glibc(bench, gap, needed)};
}

// From the first of the hundred to the last, at the two looks.
struct Seen {
  std::vector<std::vector<StripPiece>> strips;
  std::string printed;
};

std::vector<StripPiece> hundred_from(const SeenHeap& heap, Address first) {
  std::vector<StripPiece> pieces;
  for (const model::HeapPiece& piece : heap.pieces) {
    if (piece.user() < first || piece.arena != 0 || pieces.size() == kBlocks) continue;
    pieces.push_back({piece.range.size(), model::is_free(piece.use)});
  }
  return pieces;
}

Result<Seen> watch(const Bench& bench) {
  Seen seen;
  std::optional<Address> first;
  const auto look = [&](const Look& at) -> Result<void> {
    if (!first) first = printed_address(at.printed, "first block");
    const auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    seen.strips.push_back(hundred_from(*heap, first.value_or(Address{})));
    return {};
  };
  auto printed = run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (seen.strips.size() != 2) return fail("every_other did not stop at its two looks");
  seen.printed = std::move(*printed);
  return seen;
}

Result<Observation> observe(const Bench& bench) {
  const auto seen = watch(bench);
  if (!seen) return std::unexpected(seen.error());
  const auto runs = run_on_allocators(bench, kProgram, 3);
  if (!runs) return std::unexpected(runs.error());
  std::uint64_t free_chunks = 0;
  Bytes free_bytes;
  for (const StripPiece& piece : seen->strips.front()) {
    if (!piece.is_free) continue;
    ++free_chunks;
    free_bytes += piece.size;
  }
  const Bytes cell = model::chunk_of_request(kShort).value_or(Bytes{1});
  return Observation{
      .answers = {count(free_chunks), bytes(free_bytes), printed_count(*runs, "glibc", kLongInGaps),
                  printed_count(*runs, "glibc", kShortInGaps),
                  printed_count(*runs, "stage 3", kLongInGaps),
                  printed_count(*runs, "stage 3", kShortInGaps),
                  printed_count(*runs, "stage 4", kLongInAll),
                  printed_count(*runs, "stage 5", kLongInAll),
                  printed_count(*runs, "glibc", kLongInAll)},
      .exhibits = {{"every other block is free (a character is a chunk; # in use, . free)",
                    draw_strip(seen->strips[0], cell)},
                   {"LD_PRELOAD=libstage3.so every_other, and so on: of 50 blocks, in old memory",
                    table_of(*runs, {{"64 in the gaps", kLongInGaps},
                                     {"32 in the gaps", kShortInGaps},
                                     {"64 when all is free", kLongInAll}})}}};
}

std::string explain(const Bench& bench) {
  const std::string_view glibc =
      model::free_lists(bench.machine.glibc_version).fast_bins
          ? "glibc could, and does not yet. A few of the freed chunks are in the thread's cache, "
            "the others in a fast bin, both of which are not joined, since the same size is likely "
            "to be asked for again. A request of 1024 bytes or more makes glibc join what is in "
            "the fast bins."
          : "glibc joins them too, but for a few in the thread's cache: those are not joined, "
            "since "
            "the same size is likely to be asked for again. Until 2.42 it had fast bins besides, "
            "which kept all the others apart.";
  return fmt::format(
      "Half the memory is free, and a request for twice as much as one gap cannot have any of it. "
      "That is fragmentation. Nothing is lost and nothing is wrong: the gaps serve the next short "
      "requests at once. But the program's memory grows though so much of it is free.\n"
      "\n"
      "When the blocks between are freed as well, everything depends on whether neighbours are "
      "joined. Stages 3 and 4 never do: a hundred short chunks stay a hundred short chunks. From "
      "stage 5 on they become one long chunk, which can be cut anew.\n"
      "\n"
      "{} Stage 8 has a cache as well: what it keeps lies between the others, and so it uses only "
      "some of the memory.",
      glibc);
}

}  // namespace

extern const Experiment kFragmentation;
const Experiment kFragmentation = {
    .id = "3",
    .title = "Every other block is free, and of no use",
    .question =
        "Of a hundred blocks of 32 bytes every other one is freed. Can blocks of 64 bytes "
        "use that memory? And when all hundred are free?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage3_free_list.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
