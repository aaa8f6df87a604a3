// 1: a thousand blocks that stay: how many system calls, on which malloc.
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/measured_run.h"
#include "lab/stage_plan.h"
#include "lab/traced_run.h"

namespace mini::lab {
namespace {

constexpr std::uint64_t kBlocks = 1000;
constexpr Bytes kRequest{1000};
constexpr std::string_view kProgram = "many_blocks";
constexpr std::string_view kSources[] = {"many_blocks.c"};
constexpr std::string_view kTerms[] = {"program break", "bump allocator", "chunk", "top chunk",
                                       "top pad"};
constexpr int kPredictedStages[] = {1, 6, 7, 8};

HeapPlan plan_on_glibc(const Bench& bench) {
  HeapPlan plan(bench.machine);
  for (std::uint64_t i = 0; i < kBlocks; ++i) plan.place(kRequest);
  return plan;
}

std::string growths_in_words(int stage) {
  const Bytes chunk = stage_chunk(stage, kRequest);
  if (stage < 7) return "one for each request";
  const std::uint64_t each = (chunk + kStageStock).count / chunk.count;
  return fmt::format("a growth is {} + {}, which is {} chunks of {}; {} / {}, rounded up",
                     chunk.count, kStageStock.count, each, chunk.count, kBlocks, each);
}

// The last block of stage 1 ends where it ends; those before it are rounded up.
Bytes grown_on_stage_1() {
  return stage_chunk(1, kRequest) * (kBlocks - 1) + kRequest;
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  std::vector<Prediction> all;
  for (const int stage : kPredictedStages) {
    all.push_back({fmt::format("growths on stage {}", stage),
                   fmt::format("How often does stage {} move the program break?", stage),
                   count(stage_growths(stage, kRequest, kBlocks)), growths_in_words(stage)});
  }
  const HeapPlan plan = plan_on_glibc(bench);
  all.push_back(
      {"growths on glibc's malloc", "And glibc's malloc?", count(plan.growths().size()),
       fmt::format("{} chunks of {}, in growths of about {} (chunk, top pad, whole pages)", kBlocks,
                   chunk_in_words(kRequest), format_bytes(plan.growths().front()))});
  all.push_back({"stage 1: the heap grows by", "By how many bytes does the heap of stage 1 grow?",
                 bytes(grown_on_stage_1()),
                 fmt::format("{} x {} (rounded up to 16) + {}", kBlocks - 1,
                             stage_chunk(1, kRequest).count, kRequest.count)});
  return all;
}

struct Growth {
  std::uint64_t times = 0;
  Bytes size;
  std::uint64_t memory_calls = 0;  // of the whole run, the loader's too
};

Result<Growth> growth_on(const Bench& bench, const Allocator& allocator) {
  const auto run = run_traced({.command = {bench.places.program(kProgram)},
                               .variables = preload(allocator),
                               .stacks = false});
  if (!run) return std::unexpected(run.error());
  Growth growth;
  for (const model::Event* event : calls_of(*run, "brk")) {
    if (break_move(*event) <= 0) continue;
    ++growth.times;
    growth.size += Bytes{static_cast<std::uint64_t>(break_move(*event))};
  }
  for (const std::string_view name : {"brk", "mmap", "munmap", "mremap", "mprotect", "madvise"}) {
    growth.memory_calls += calls_of(*run, name).size();
  }
  return growth;
}

Result<Observation> observe(const Bench& bench) {
  std::string table = fmt::format("  {:<14}{:>16}{:>16}{:>24}\n", "", "growths", "by KiB in sum",
                                  "all memory calls");
  std::vector<std::optional<Answer>> answers;
  Bytes first_stage;
  std::optional<Answer> on_glibc;
  for (const Allocator& allocator : allocators(bench.places, 1)) {
    const auto growth = growth_on(bench, allocator);
    if (!growth) return std::unexpected(growth.error());
    table += fmt::format("  {:<14}{:>16}{:>16}{:>24}\n", allocator.name,
                         format_count(growth->times), format_count(growth->size.count / kKiB.count),
                         format_count(growth->memory_calls));
    if (allocator.name == "stage 1") first_stage = growth->size;
    if (allocator.name == "glibc") on_glibc = count(growth->times);
    for (const int stage : kPredictedStages) {
      if (allocator.name == fmt::format("stage {}", stage)) {
        answers.emplace_back(count(growth->times));
      }
    }
  }
  answers.push_back(on_glibc);
  answers.emplace_back(bytes(first_stage));
  return Observation{
      .answers = std::move(answers),
      .exhibits = {
          {"heapspy trace --summary env LD_PRELOAD=libstage1.so many_blocks, and so on", table}}};
}

std::string explain(const Bench& /*bench*/) {
  return "malloc needs nothing but a place where fresh memory begins, and the kernel keeps one: "
         "the "
         "program break. Stage 1 moves it up for each request, and that is all it does. It works, "
         "and it enters the kernel a thousand times for a thousand blocks.\n"
         "\n"
         "Stages 2 to 6 know more and more of what was freed, but here nothing is freed: each "
         "block "
         "is still a system call of its own. Stage 7 buys wholesale, as glibc does: 128 KiB more "
         "than it must. That is all the difference between a thousand calls and eight.\n"
         "\n"
         "The column on the right counts all memory calls of the run. What it has beyond the "
         "growths is the loader's work, and, on libminimalloc, how that one gets its memory: by "
         "mmap, not by brk.";
}

}  // namespace

extern const Experiment kManyBlocks;
const Experiment kManyBlocks = {
    .id = "1",
    .title = "A thousand blocks, a thousand system calls",
    .question =
        "A program asks for a thousand blocks of 1000 bytes and frees none. How many system "
        "calls does that take, on each of the eight stages and on glibc's malloc?",
    .sources = kSources,
    .sources_note =
        "To read with it: stages/stage1_bump.c and stages/stage7_bins.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
