// 0.4: the trace that the article could not explain: the program moves the break itself.
#include <fmt/format.h>
#include <optional>

#include "lab/experiment.h"
#include "lab/heap_map.h"
#include "lab/heap_plan.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/target_output.h"
#include "lab/traced_run.h"

namespace mini::lab {
namespace {

constexpr Bytes kRequest{1000};
constexpr std::uint64_t kOwnMoves = 3;  // of 1000 bytes each, in hidden_sbrk.c
constexpr std::string_view kProgram = "hidden_sbrk";
constexpr std::string_view kSources[] = {"hidden_sbrk.c"};
constexpr std::string_view kTerms[] = {"program break", "foreign break", "cause", "top chunk"};

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  HeapPlan plan(bench.machine);
  plan.place((*output)->stdio_buffer());
  const auto first = plan.place(kRequest);
  const auto second = plan.place(kRequest);
  plan.place(kRequest);
  const Bytes own = kRequest * kOwnMoves;
  return std::vector<Prediction>{
      {"the break is moved by malloc", "How often does malloc move the break?",
       count(plan.growths().size()), "once, for stdio's buffer; all blocks fit in that growth"},
      {"by the program itself", "How often does the program move it?", count(kOwnMoves),
       "each line calls sbrk(1000), which moves it; sbrk(0) would only ask"},
      {"malloc moves it by", "By how many bytes does malloc move it?", bytes(plan.heap()),
       plan.growth_in_words()},
      {"the program moves it by", "By how many bytes does the program, in sum?", bytes(own),
       fmt::format("{} x {}; the kernel keeps the break to the byte", kOwnMoves, kRequest.count)},
      {"from a block to the next", "How far apart are two of malloc's blocks?",
       offset(second.user - first.user),
       chunk_in_words(kRequest) + "; what the program takes lies elsewhere"},
      {"the break at last, from the start", "How far from the heap's start is the break at last?",
       offset(plan.heap() + own), fmt::format("{} + {}", plan.heap().count, own.count)},
      {"what malloc says that it has", "How many bytes of that does malloc count as its own?",
       bytes(plan.heap()), "it has not asked for the rest, and does not know of it yet"}};
}

struct Moves {
  std::uint64_t by_malloc = 0;
  std::uint64_t by_program = 0;
  Bytes malloc_bytes;
  Bytes program_bytes;
  std::vector<const model::Event*> events;
};

Moves moves_in(const TracedRun& run) {
  Moves moves;
  for (const model::Event* event : calls_of(run, "brk")) {
    const std::int64_t change = break_move(*event);
    if (change <= 0) continue;
    moves.events.push_back(event);
    const Bytes moved{static_cast<std::uint64_t>(change)};
    if (event->cause == model::Cause::kMalloc) {
      ++moves.by_malloc;
      moves.malloc_bytes += moved;
    } else if (event->cause == model::Cause::kProgram) {
      ++moves.by_program;
      moves.program_bytes += moved;
    }
  }
  return moves;
}

Result<Observation> observe(const Bench& bench) {
  const std::string program = bench.places.program(kProgram);
  const auto run = run_traced({.command = {program}});
  if (!run) return std::unexpected(run.error());
  const Moves moves = moves_in(*run);
  std::optional<SeenHeap> heap;
  const auto look = [&](const Look& at) -> Result<void> {
    auto seen = look_at_heap(at.pid);
    if (!seen) return std::unexpected(seen.error());
    heap = std::move(*seen);
    return {};
  };
  const auto printed = run_with_looks({.command = {program}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  const auto start = printed_address(*printed, "heap start");
  const auto first = printed_address(*printed, "first block");
  const auto second = printed_address(*printed, "second block");
  const auto third = printed_address(*printed, "third block");
  const auto end = printed_address(*printed, "break after");
  if (!start || !first || !second || !third || !end || !heap) {
    return fail("hidden_sbrk did not print its blocks");
  }
  const bool evenly = *third - *second == *second - *first;
  return Observation{
      .answers = {count(moves.by_malloc), count(moves.by_program), bytes(moves.malloc_bytes),
                  bytes(moves.program_bytes),
                  evenly ? std::optional(offset(*second - *first)) : std::nullopt,
                  offset(*end - *start), bytes(heap->heap().arenas.front().system)},
      .exhibits = {{"heapspy trace --events --filter brk hidden_sbrk",
                    show_events(bench.style, moves.events)},
                   {"What the program printed", run->output},
                   {"LAB_WAIT=1 hidden_sbrk, and at its look: heapspy inspect --chunks PID",
                    draw_heap(*heap, {{*first, "the first block"},
                                      {*second, "the second block"},
                                      {*third, "the third block"}})}}};
}

std::string explain(const Bench& /*bench*/) {
  return "The article that the lab follows ends with a trace that its author could not explain: "
         "after each malloc(1000) the break stood 0x3e8 bytes higher,\n"
         "\n"
         "  brk(0x55555557a000)      the growth by malloc, as in 0.3\n"
         "  brk(0x55555557a3e8)      + 0x3e8\n"
         "  brk(0x55555557a7d0)      + 0x3e8\n"
         "  brk(0x55555557abb8)      + 0x3e8\n"
         "\n"
         "though the listing beside it only asks, with sbrk(0); and later the effect was gone. It "
         "looks as if malloc had grown the heap a little for each block. It did not: 0x3e8 is "
         "1000, not 1008, and no multiple of a page. malloc always asks for whole pages. A program "
         "prints exactly these lines if each sbrk(0) of the listing is an sbrk(1000), as above: "
         "then the binary that ran was not made from the listing, and it was gone when it was "
         "compiled again.\n"
         "\n"
         "The blocks prove it. They are 1008 bytes apart, all inside the first growth: malloc "
         "went on cutting its top chunk, and none of the 3000 bytes is in use by it. The call "
         "stacks prove it too: those of the three small moves go from main to sbrk, and there is "
         "no malloc in them.\n"
         "\n"
         "It is not harmless. malloc will find at its next growth that the break is not where it "
         "left it, and that its heap is no longer contiguous: what remains of its top chunk cannot "
         "be joined with what is new.";
}

}  // namespace

extern const Experiment kHiddenSbrk;
const Experiment kHiddenSbrk = {
    .id = "0.4",
    .title = "The unexplained trace: the program moves the break itself",
    .question =
        "The heap of this program grows by 1000 bytes with each line that it prints, "
        "though malloc has plenty of room. Who makes it grow?",
    .sources = kSources,
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
