// 7: where glibc puts freed chunks of different sizes, as its own lists have it.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "lab/experiment.h"
#include "lab/looked_run.h"
#include "model/malloc_arithmetic.h"
#include "model/malloc_versions.h"

namespace mini::lab {
namespace {

using model::PieceUse;

constexpr std::uint64_t kEach = 10;
constexpr Bytes kShort{24};
constexpr Bytes kMiddle{200};
constexpr Bytes kLong{2000};
constexpr std::string_view kProgram = "bins";
constexpr std::string_view kSources[] = {"bins.c"};
constexpr std::string_view kTerms[] = {"bin",       "thread cache", "fast bin",  "unsorted bin",
                                       "small bin", "large bin",    "coalescing"};

model::FreeLists lists_of(const Bench& bench) {
  return model::free_lists(bench.machine.glibc_version);
}

Bytes chunk_of(Bytes request) {
  return model::chunk_of_request(request).value_or(Bytes{});
}

// What is predicted: of the freed blocks of one size, how many are where, and when.
struct Figure {
  Bytes request;
  PieceUse use;
  std::size_t look;  // 0: freed; 1: after the large request
  std::string_view where;
  std::uint64_t pieces;
  std::string because;
};

// Where chunks of up to 128 bytes are that the cache has no room for.
Figure short_beyond(const model::FreeLists& lists, std::uint64_t beyond) {
  if (!lists.fast_bins) {
    return {kShort, PieceUse::kFastbin, 0, "in a fast bin", 0, "this glibc has none any more"};
  }
  return {kShort,
          PieceUse::kFastbin,
          0,
          "in a fast bin",
          beyond,
          fmt::format("the other {}: chunks of up to 128 bytes are not joined at once", beyond)};
}

Figure middle_beyond(const model::FreeLists& lists, std::uint64_t beyond) {
  if (lists.small_sorted_at_once) {
    return {kMiddle, PieceUse::kSmallbin,
            0,       "in a small bin",
            beyond,  fmt::format("the other {}: each straight into the list of its size", beyond)};
  }
  return {kMiddle, PieceUse::kUnsorted,
          0,       "unsorted",
          beyond,  fmt::format("the other {}, longer than 128 bytes: not sorted yet", beyond)};
}

std::vector<Figure> figures(const Bench& bench) {
  const model::FreeLists lists = lists_of(bench);
  const std::uint64_t cached = std::min(lists.cached_of_a_size, kEach);
  const std::uint64_t beyond = kEach - cached;
  const std::string limit =
      fmt::format("a thread keeps {} of each size, of up to 1032 bytes", lists.cached_of_a_size);
  return {
      {kShort, PieceUse::kCached, 0, "in the cache", cached, limit},
      short_beyond(lists, beyond),
      {kMiddle, PieceUse::kCached, 0, "in the cache", cached, "as above"},
      middle_beyond(lists, beyond),
      {kLong, PieceUse::kCached, 0, "in the cache", 0, "longer than 1032 bytes"},
      {kLong, PieceUse::kUnsorted, 0, "unsorted", kEach, "all of them"},
      {kShort, PieceUse::kSmallbin, 1, "then in a small bin", beyond,
       lists.fast_bins ? "a large request first empties the fast bins, then sorts"
                       : "what the cache had no room for"},
      {kMiddle, PieceUse::kSmallbin, 1, "then in a small bin", beyond,
       "below 1024 bytes: one list for each size"},
      {kLong, PieceUse::kLargebin, 1, "then in a large bin", kEach,
       "from 1024 bytes on: a list for a range of sizes"},
      {kShort, PieceUse::kCached, 1, "still in the cache", cached,
       "what a thread keeps nobody sorts"},
  };
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  std::vector<Prediction> all;
  for (const Figure& figure : figures(bench)) {
    all.push_back(
        {fmt::format("{} bytes: {}", figure.request.count, figure.where),
         fmt::format("Of ten freed blocks of {} bytes, how many are {}{}?", figure.request.count,
                     figure.where, figure.look == 0 ? "" : " (after malloc(5000))"),
         count(figure.pieces), figure.because});
  }
  return all;
}

std::uint64_t pieces_of(const SeenHeap& heap, Bytes request, PieceUse use) {
  std::uint64_t pieces = 0;
  for (const model::HeapPiece& piece : heap.pieces) {
    if (piece.use == use && piece.range.size() == chunk_of(request)) ++pieces;
  }
  return pieces;
}

std::string table_of(const std::vector<SeenHeap>& heaps) {
  constexpr std::array<std::string_view, 2> kLooks = {"freed", "after malloc(5000)"};
  std::string text = fmt::format("  {:<20}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "", "chunk",
                                 "cached", "fastbin", "unsorted", "small", "large");
  for (std::size_t i = 0; i < heaps.size(); ++i) {
    for (const Bytes request : {kShort, kMiddle, kLong}) {
      text +=
          fmt::format("  {:<20}{:>8}", request == kShort ? kLooks[i] : "", chunk_of(request).count);
      for (const PieceUse use : {PieceUse::kCached, PieceUse::kFastbin, PieceUse::kUnsorted,
                                 PieceUse::kSmallbin, PieceUse::kLargebin}) {
        text += fmt::format("{:>10}", pieces_of(heaps[i], request, use));
      }
      text += '\n';
    }
  }
  return text;
}

Result<Observation> observe(const Bench& bench) {
  std::vector<SeenHeap> heaps;
  const auto look = [&](const Look& at) -> Result<void> {
    auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    heaps.push_back(std::move(*heap));
    return {};
  };
  const auto printed =
      run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (heaps.size() != 2) return fail("bins did not stop at its two looks");
  Observation seen;
  for (const Figure& figure : figures(bench)) {
    seen.answers.emplace_back(count(pieces_of(heaps[figure.look], figure.request, figure.use)));
  }
  seen.exhibits = {{"LAB_WAIT=1 bins, and at its looks: heapspy inspect PID, its table of bins",
                    table_of(heaps)}};
  return seen;
}

std::string explain(const Bench& bench) {
  const model::FreeLists lists = lists_of(bench);
  const std::string_view fast_bins =
      lists.fast_bins
          ? " Chunks of up to 128 bytes go to the fast bins: short lists that are not joined with "
            "their neighbours, since soon they will be asked for again. All others are joined with "
            "free neighbours at once"
          : " All are joined with free neighbours at once (until 2.42 there were fast bins, for "
            "chunks of up to 128 bytes, whose chunks were not)";
  const std::string_view sorted =
      lists.small_sorted_at_once
          ? ". What is below 1024 bytes then goes straight into the small bin of its size, and "
            "longer ones into the unsorted bin, which is only a waiting room."
          : " and put into the unsorted bin, which is only a waiting room.";
  const std::string_view emptied =
      lists.fast_bins
          ? " A request of 1024 bytes or more empties the fast bins before, so that their chunks "
            "can be joined: until then they are what keeps the heap in pieces, as experiment 3 "
            "shows."
          : "";
  return fmt::format(
      "free has to be quick, and malloc has to find what fits. glibc takes it in steps.\n"
      "\n"
      "First the thread's own cache: {} chunks of each size, of requests of up to 1032 bytes, that "
      "come back without a lock. Beyond it come the arena's bins.{}{}\n"
      "\n"
      "Sorting is left to the next malloc that finds nothing. It goes through the waiting room and "
      "puts each chunk where it belongs: below 1024 bytes into the small bin of its exact size, "
      "from there on into a large bin, for a range of sizes.{}\n"
      "\n"
      "Stage 7 is that in its simplest form: an exact list for each size below 512 bytes, one for "
      "each power of two above, and a word of bits that says which have something in them.",
      lists.cached_of_a_size, fast_bins, sorted, emptied);
}

}  // namespace

extern const Experiment kBins;
const Experiment kBins = {
    .id = "7",
    .title = "Bins at work",
    .question =
        "Ten blocks each of 24, 200 and 2000 bytes are freed. In which of malloc's lists "
        "are they then, and where does a large request leave them?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage7_bins.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
