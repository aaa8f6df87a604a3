// 4: a free chunk is split: the heap before and after.
#include <fmt/format.h>
#include <optional>

#include "lab/experiment.h"
#include "lab/heap_map.h"
#include "lab/heap_plan.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/stage_plan.h"
#include "lab/staged_run.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr Bytes kWhole{2000};
constexpr Bytes kPart{500};
constexpr Bytes kRest{1480};
constexpr std::string_view kProgram = "split";
constexpr std::string_view kSources[] = {"split.c"};
constexpr std::string_view kTerms[] = {"chunk", "splitting", "free list", "unsorted bin", "usable"};

constexpr std::string_view kUsableOfPart = "usable of the part";

Bytes chunk_of(Bytes request) {
  return model::chunk_of_request(request).value_or(Bytes{});
}

Bytes left_over() {
  return chunk_of(kWhole) - chunk_of(kPart);
}

Result<std::vector<Prediction>> predict(const Bench& /*bench*/) {
  return std::vector<Prediction>{
      {"the free chunk before", "How long is the chunk that was freed?", bytes(chunk_of(kWhole)),
       chunk_in_words(kWhole)},
      {"the part is where it began", "Is malloc(500) at the address that was freed?",
       yes_or_no(true), "it is the only free chunk, and it is cut from its front"},
      {"the free chunk after", "How long is what is left of it?", bytes(left_over()),
       fmt::format("{} - {} ({})", chunk_of(kWhole).count, chunk_of(kPart).count,
                   chunk_in_words(kPart))},
      {"usable of the second block", "malloc(1480) gets the rest. How much of it may it use?",
       bytes(left_over() - model::kChunkHeader),
       fmt::format("its chunk would be {}; the {} beyond are too few for a chunk of {}, so it gets "
                   "all {}, 8 of them for the size",
                   chunk_of(kRest).count, (left_over() - chunk_of(kRest)).count,
                   model::kSmallestChunk.count, left_over().count)},
      {"stage 3: usable of malloc(500)",
       "Stage 3 cannot split. How much does malloc(500) get there?",
       bytes(stage_chunk(3, kWhole) - kStageHeader), "the whole chunk, without its header"},
      {"stage 4: usable of malloc(500)", "And on stage 4, which can?",
       bytes(stage_chunk(4, kPart) - kStageHeader), "16 + 500, rounded up to 16, minus 16"}};
}

struct Views {
  std::vector<SeenHeap> heaps;  // before, after
  std::string printed;
};

Result<Views> look_before_and_after(const Bench& bench) {
  Views views;
  const auto look = [&](const Look& at) -> Result<void> {
    auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    views.heaps.push_back(std::move(*heap));
    return {};
  };
  auto printed = run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (views.heaps.size() != 2) return fail("split did not stop at its two looks");
  views.printed = std::move(*printed);
  return views;
}

// The length of the piece whose block is, or would be, at that address, if it is free.
std::optional<Answer> free_bytes_at(const SeenHeap& heap, Address block) {
  const model::HeapPiece* piece = heap.block(block);
  if (piece == nullptr || !model::is_free(piece->use)) return std::nullopt;
  return bytes(piece->range.size());
}

std::optional<Answer> as_bytes(std::optional<std::uint64_t> number) {
  return number ? std::optional(bytes(Bytes{*number})) : std::nullopt;
}

Result<Observation> observe(const Bench& bench) {
  const auto views = look_before_and_after(bench);
  if (!views) return std::unexpected(views.error());
  const auto freed = printed_address(views->printed, "freed block");
  const auto part = printed_address(views->printed, "part");
  const auto rest = printed_address(views->printed, "rest");
  if (!freed || !part || !rest) return fail("split did not print its blocks");
  const auto runs = run_on_allocators(bench, kProgram, 3);
  if (!runs) return std::unexpected(runs.error());
  const auto usable_on = [&](std::string_view allocator) -> std::optional<Answer> {
    const StagedRun* run = run_on(*runs, allocator);
    if (run == nullptr) return std::nullopt;
    return as_bytes(printed_number(run->printed, kUsableOfPart));
  };
  return Observation{
      .answers = {free_bytes_at(views->heaps[0], *freed), yes_or_no(*part == *freed),
                  free_bytes_at(views->heaps[1], *rest),
                  as_bytes(printed_number(views->printed, "usable of the rest")),
                  usable_on("stage 3"), usable_on("stage 4")},
      .exhibits = {{"LAB_WAIT=1 split, at its first look: heapspy inspect --chunks PID",
                    draw_heap(views->heaps[0], {{*freed, "the freed block"}})},
                   {"at its second look",
                    draw_heap(views->heaps[1], {{*part, "malloc(500)"}, {*rest, "what is left"}})},
                   {"LD_PRELOAD=libstage3.so split, and so on",
                    table_of(*runs, {{"malloc(500) may use", kUsableOfPart}})}}};
}

std::string explain(const Bench& /*bench*/) {
  return "A free chunk that is too long is cut in two: the first part goes to the program, the "
         "rest "
         "stays free, with a size of its own. That is one more header, written where a moment ago "
         "there was nothing. In the second map one line of the first has become two, and their "
         "lengths add up to it.\n"
         "\n"
         "What would be left has to be able to live as a chunk, with a size and the links of the "
         "list of free chunks: 32 bytes. If it is less the block gets it as a present: "
         "malloc_usable_size tells.\n"
         "\n"
         "Stage 3 gives the whole chunk away, 2000 bytes for 500, and the other 1500 are of no use "
         "to anybody until it is freed. Splitting is what stage 4 adds; the price is that what was "
         "cut stays cut, which is what experiment 5 is about.";
}

}  // namespace

extern const Experiment kSplit;
const Experiment kSplit = {
    .id = "4",
    .title = "A split: one free chunk becomes two",
    .question =
        "2000 bytes have been freed, and 500 are asked for. What does the heap look like "
        "before and after?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage4_splitting.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
