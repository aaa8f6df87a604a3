// 5: three neighbours freed in each order: how many free chunks there are after each free.
#include <array>
#include <fmt/format.h>
#include <map>
#include <optional>

#include "lab/experiment.h"
#include "lab/heap_map.h"
#include "lab/heap_plan.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/staged_run.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr Bytes kRequest{2000};
constexpr std::string_view kProgram = "coalesce";
constexpr std::string_view kSources[] = {"coalesce.c"};
constexpr std::string_view kTerms[] = {"chunk", "coalescing", "boundary tag", "splitting",
                                       "fragmentation"};
constexpr std::array<std::string_view, 6> kOrders = {"ABC", "ACB", "BAC", "BCA", "CAB", "CBA"};
constexpr std::string_view kDrawn = "ACB";

// After each free: the runs of freed neighbours.
std::array<int, 3> runs_of(std::string_view order) {
  std::array<bool, 3> freed{};
  std::array<int, 3> runs{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    freed[static_cast<std::size_t>(order[i] - 'A')] = true;
    for (std::size_t k = 0; k < freed.size(); ++k) {
      if (freed[k] && (k == 0 || !freed[k - 1])) ++runs[i];
    }
  }
  return runs;
}

std::string in_words(const std::vector<std::uint64_t>& counts) {
  std::string text;
  for (const std::uint64_t n : counts) text += fmt::format("{}{}", text.empty() ? "" : ", ", n);
  return text;
}

Result<std::vector<Prediction>> predict(const Bench& /*bench*/) {
  std::vector<Prediction> all;
  for (const std::string_view order : kOrders) {
    const auto runs = runs_of(order);
    all.push_back({fmt::format("free chunks, freed {}, {}, {}", order[0], order[1], order[2]),
                   fmt::format("How many free chunks are there after each free, in the order {}? "
                               "(As \"1, 1, 1\")",
                               order),
                   word(in_words({runs.begin(), runs.end()})),
                   runs[1] == 1 ? "each has a free neighbour when its turn comes"
                                : "A and C are no neighbours; B joins them all"});
  }
  const Bytes chunk = model::chunk_of_request(kRequest).value_or(Bytes{});
  all.push_back({"the one that is left is", "How long is the chunk that they have become?",
                 bytes(chunk * 3),
                 fmt::format("3 x {} ({})", chunk.count, chunk_in_words(kRequest))});
  all.push_back({"stage 4: in one chunk at the end",
                 "In how many of the six orders does stage 4 serve a request for all three "
                 "together from them?",
                 count(0), "what was cut stays cut"});
  all.push_back({"stage 5: in one chunk at the end", "And stage 5?", count(kOrders.size()),
                 "each free looks at both neighbours, so the order does not matter"});
  all.push_back({"glibc: in one chunk at the end", "And glibc's malloc?", count(kOrders.size()),
                 "the same, for chunks that are too long for the thread's cache"});
  return all;
}

struct Seen {
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> free_chunks;  // by order
  bool all_are_one = true;
  Bytes last;  // the one chunk at the end of each order
  std::vector<SeenHeap> drawn;
  std::string printed;
};

void take_look(Seen& seen, const Look& at, SeenHeap heap) {
  std::uint64_t pieces = 0;
  Bytes size;
  for (const model::HeapPiece& piece : heap.pieces) {
    if (!model::is_binned(piece.use)) continue;
    ++pieces;
    size = piece.range.size();
  }
  auto& counts = seen.free_chunks[at.name];
  counts.push_back(pieces);
  if (counts.size() == 3) {
    if (seen.last != Bytes{} && seen.last != size) seen.all_are_one = false;
    seen.last = size;
    if (pieces != 1) seen.all_are_one = false;
  }
  if (at.name == kDrawn) seen.drawn.push_back(std::move(heap));
}

std::uint64_t orders_in_one_chunk(const std::vector<StagedRun>& runs, std::string_view allocator) {
  const StagedRun* run = run_on(runs, allocator);
  std::uint64_t orders = 0;
  for (const std::string_view order : kOrders) {
    if (run != nullptr && printed_text(run->printed, order) == "one chunk") ++orders;
  }
  return orders;
}

Result<Seen> watch(const Bench& bench) {
  Seen seen;
  const auto look = [&](const Look& at) -> Result<void> {
    auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    take_look(seen, at, std::move(*heap));
    return {};
  };
  auto printed = run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  seen.printed = std::move(*printed);
  if (seen.drawn.size() != 3) return fail("coalesce did not stop at its looks");
  return seen;
}

Result<Observation> observe(const Bench& bench) {
  const auto seen = watch(bench);
  if (!seen) return std::unexpected(seen.error());
  const auto runs = run_on_allocators(bench, kProgram, 4);
  if (!runs) return std::unexpected(runs.error());
  Observation observed;
  for (const std::string_view order : kOrders) {
    const auto counts = seen->free_chunks.find(order);
    observed.answers.push_back(counts == seen->free_chunks.end()
                                   ? std::nullopt
                                   : std::optional(word(in_words(counts->second))));
  }
  observed.answers.push_back(seen->all_are_one ? std::optional(bytes(seen->last)) : std::nullopt);
  for (const std::string_view allocator : {"stage 4", "stage 5", "glibc"}) {
    observed.answers.emplace_back(count(orders_in_one_chunk(*runs, allocator)));
  }
  PieceNames names;
  for (const std::string_view name : {"A", "B", "C"}) {
    if (const auto at = printed_address(seen->printed, name)) names[*at] = name;
  }
  constexpr std::array<std::string_view, 3> kTitles = {
      "LAB_WAIT=1 coalesce, order A, C, B: A is freed (heapspy inspect --chunks PID)",
      "then C: two free chunks, with B between them", "then B: one chunk"};
  for (std::size_t i = 0; i < kTitles.size(); ++i) {
    observed.exhibits.push_back({std::string(kTitles[i]), draw_heap(seen->drawn[i], names)});
  }
  return observed;
}

std::string explain(const Bench& /*bench*/) {
  return "A chunk that is freed is joined with its neighbours if they are free. The one behind it "
         "is "
         "easily found: it begins where this one ends. The one before it could be anywhere, if its "
         "length were not written at its end as well. That second copy is the boundary tag: it "
         "stands right before the header, and leads back to the beginning.\n"
         "\n"
         "Both neighbours are looked at on each free, so it does not matter in which order the "
         "three go: in the end there is one chunk. In between it does matter. When A and C go "
         "first "
         "there are two, and B, the last, joins three into one.\n"
         "\n"
         "Stage 4 never joins anything. All three are free, side by side, and a request for as "
         "many "
         "bytes as they have together makes its heap grow. Nor does glibc join chunks that its "
         "threads keep in their caches: the blocks here are too long for them. See experiments 3 "
         "and 7.";
}

}  // namespace

extern const Experiment kCoalesce;
const Experiment kCoalesce = {
    .id = "5",
    .title = "Three neighbours, freed in six orders",
    .question =
        "A, B and C lie side by side and are freed one after the other. How many free "
        "chunks are there after each free, in each of the six orders?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage5_coalescing.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
