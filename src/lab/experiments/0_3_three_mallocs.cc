// 0.3: three blocks of 1000 bytes: how many growths, and where the blocks are.
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/heap_map.h"
#include "lab/heap_plan.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/target_output.h"
#include "lab/traced_run.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr Bytes kRequest{1000};
constexpr std::string_view kProgram = "three_mallocs";
constexpr std::string_view kSources[] = {"three_mallocs.c"};
constexpr std::string_view kTerms[] = {"program break", "chunk",        "top chunk",
                                       "thread cache",  "stdio buffer", "top pad"};

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  HeapPlan plan(bench.machine);
  const auto buffer = plan.place((*output)->stdio_buffer());
  const auto first = plan.place(kRequest);
  const auto second = plan.place(kRequest);
  const auto third = plan.place(kRequest);
  return std::vector<Prediction>{
      {"growths of the heap", "How many times does the heap grow?", count(plan.growths().size()),
       "malloc asks the kernel for much more than it needs, and serves the rest from it"},
      {"the heap grows by", "By how many bytes does it grow, in sum?", bytes(plan.heap()),
       plan.growth_in_words()},
      {"first block, from the heap's start",
       "How many bytes after the heap's start is the first block?", offset(first.user),
       fmt::format("{} (thread cache) + {} (stdio's buffer of {}) + 16 (header of the block)",
                   plan.thread_cache().count, buffer.chunk.count, buffer.requested.count)},
      {"from the first to the second", "How far apart are the first and the second block?",
       offset(second.user - first.user), chunk_in_words(kRequest)},
      {"from the second to the third", "And the second and the third?",
       offset(third.user - second.user), "the same"},
      {"top chunk that is left", "How many bytes of the heap are still free at its end?",
       bytes(plan.top()),
       fmt::format("{} - {} - {} - 3 x {}", plan.heap().count, plan.thread_cache().count,
                   buffer.chunk.count, first.chunk.count)}};
}

struct Blocks {
  Address start, first, second, third;
};

std::optional<Blocks> find_blocks(std::string_view printed) {
  const auto start = printed_address(printed, "heap start");
  const auto first = printed_address(printed, "first block");
  const auto second = printed_address(printed, "second block");
  const auto third = printed_address(printed, "third block");
  if (!start || !first || !second || !third) return std::nullopt;
  return Blocks{*start, *first, *second, *third};
}

Result<Observation> observe(const Bench& bench) {
  const std::string program = bench.places.program(kProgram);
  const auto run = run_traced({.command = {program}});
  if (!run) return std::unexpected(run.error());
  std::uint64_t growths = 0;
  Bytes grown;
  std::vector<const model::Event*> moves;
  for (const model::Event* event : calls_of(*run, "brk")) {
    if (break_move(*event) <= 0) continue;
    ++growths;
    grown += Bytes{static_cast<std::uint64_t>(break_move(*event))};
    moves.push_back(event);
  }
  std::optional<SeenHeap> heap;
  const auto look = [&](const Look& at) -> Result<void> {
    auto seen = look_at_heap(at.pid);
    if (!seen) return std::unexpected(seen.error());
    heap = std::move(*seen);
    return {};
  };
  const auto printed = run_with_looks({.command = {program}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  const auto blocks = find_blocks(*printed);
  if (!blocks || !heap) return fail("three_mallocs did not print its blocks");
  // The inspector has to agree that these addresses are blocks of the program.
  const bool are_blocks = heap->block(blocks->first) != nullptr &&
                          heap->block(blocks->second) != nullptr &&
                          heap->block(blocks->third) != nullptr;
  const auto if_blocks = [&](Bytes distance) {
    return are_blocks ? std::optional(offset(distance)) : std::nullopt;
  };
  const PieceNames names = {{blocks->first, "the first block"},
                            {blocks->second, "the second block"},
                            {blocks->third, "the third block"}};
  return Observation{
      .answers = {count(growths), bytes(grown), if_blocks(blocks->first - blocks->start),
                  if_blocks(blocks->second - blocks->first),
                  if_blocks(blocks->third - blocks->second),
                  bytes(heap->heap().arenas.front().top_size)},
      .exhibits = {
          {"heapspy trace --events --filter brk three_mallocs", show_events(bench.style, moves)},
          {"LAB_WAIT=1 three_mallocs, and at its look: heapspy inspect --chunks PID",
           draw_heap(*heap, names)}}};
}

std::string explain(const Bench& bench) {
  HeapPlan plan(bench.machine);
  const Bytes chunk = plan.place(kRequest).chunk;
  return fmt::format(
      "A system call costs hundreds of times as much as cutting a block off memory that is there. "
      "So "
      "malloc buys wholesale: where its stock is empty it moves the program break up by what is "
      "needed and {} more, the top pad, and cuts blocks off the lower end of that stock, the top "
      "chunk, until the next growth. A first growth has room for {} "
      "blocks of this size.\n"
      "\n"
      "The blocks are not at the heap's start. The first thing in it is malloc's own: the thread "
      "cache, a table of blocks that were freed a moment ago. Then comes the buffer in which "
      "printf collects what it prints: the first printf asked for it, and so made the heap "
      "begin.\n"
      "\n"
      "And they are {} bytes apart, not {}: a chunk holds its own size in the 8 bytes before "
      "what the program gets, and chunks are multiples of 16 so that every block is aligned for "
      "every type.",
      format_bytes(bench.machine.top_pad),
      1 + (plan.top() - model::kSmallestChunk).count / chunk.count, chunk.count, kRequest.count);
}

}  // namespace

extern const Experiment kThreeMallocs;
const Experiment kThreeMallocs = {
    .id = "0.3",
    .title = "Three mallocs, one growth",
    .question =
        "A program asks for three blocks of 1000 bytes. How often does malloc ask the "
        "kernel for memory, and where do the blocks lie in what it gets?",
    .sources = kSources,
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
