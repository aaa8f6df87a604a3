// 8.2: what each stage costs, beside glibc's malloc and libminimalloc.
#include <fmt/format.h>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/measured_run.h"
#include "lab/stage_plan.h"

namespace mini::lab {
namespace {

constexpr std::uint64_t kSteps = 2000;
constexpr std::uint64_t kAlive = 100;
constexpr Bytes kRequest{4000};
constexpr std::string_view kProgram = "steady";
constexpr std::string_view kSources[] = {"steady.c"};
constexpr std::string_view kTerms[] = {"resident",  "VmHWM",     "page fault",
                                       "free list", "top chunk", "program break"};

// Memory that is never used again must show in the peak, whatever else a process has: so much of it
// that pages of libraries, which vary from run to run, do not matter.
constexpr Bytes kClearly{4 << 20};

Result<std::vector<Prediction>> predict(const Bench& /*bench*/) {
  const std::uint64_t on_7 = stage_growths(7, kRequest, kAlive);
  const std::uint64_t each = 1 + (kStageStock.count / stage_chunk(7, kRequest).count);
  return std::vector<Prediction>{
      {"brk calls, stage 2 - stage 1", "How many more calls of brk does stage 2 make than stage 1?",
       count(0), "a header saves no system call"},
      {"brk calls, stage 2 - stage 3", "By how many calls does the free list lower them?",
       count(kSteps - kAlive), fmt::format("{} requests, but only {} blocks", kSteps, kAlive)},
      {"brk calls, stage 3 - stage 6", "And all that stages 4 to 6 add?", count(0),
       "all blocks are of one size: nothing to split or to join"},
      {"brk calls, stage 6 - stage 7", "And buying wholesale?", count(kAlive - on_7),
       fmt::format("{} growths of one block; of {} blocks {}", kAlive, each, on_7)},
      {"peak: stage 2 above stage 3", "Has stage 2 clearly more memory at its peak than stage 3?",
       yes_or_no(true),
       fmt::format("{} blocks that are never used again, {} in sum", kSteps - kAlive,
                   format_bytes(stage_chunk(2, kRequest) * (kSteps - kAlive)))},
      {"peak: stage 3 above glibc", "Has stage 3 clearly more at its peak than glibc's malloc?",
       yes_or_no(false), "both use the same hundred blocks again and again"}};
}

struct Costs {
  std::vector<Cost> stages;  // stages[0] is stage 1
  Cost glibc;
  std::string table;
};

Result<Costs> measure_all(const Bench& bench) {
  Costs costs;
  costs.table = fmt::format("  {:<14}{:>12}{:>14}{:>14}{:>14}{:>10}\n", "", "time ms", "peak KiB",
                            "page faults", "memory calls", "brk");
  for (const Allocator& allocator : allocators(bench.places, 1)) {
    const auto cost = measure({bench.places.program(kProgram)}, preload(allocator));
    if (!cost) return std::unexpected(cost.error());
    costs.table += fmt::format("  {:<14}{:>12.1f}{:>14}{:>14}{:>14}{:>10}\n", allocator.name,
                               static_cast<double>(cost->elapsed_ns) / 1e6,
                               format_count(cost->peak_resident.count / kKiB.count),
                               format_count(cost->page_faults), format_count(cost->memory_calls),
                               format_count(cost->break_calls));
    if (allocator.name.starts_with("stage")) costs.stages.push_back(*cost);
    if (allocator.name == "glibc") costs.glibc = *cost;
  }
  return costs;
}

Result<Observation> observe(const Bench& bench) {
  const auto costs = measure_all(bench);
  if (!costs) return std::unexpected(costs.error());
  const auto stage = [&](std::size_t number) -> const Cost& { return costs->stages[number - 1]; };
  const auto fewer = [&](std::size_t more, std::size_t less) {
    return count(stage(more).break_calls - stage(less).break_calls);
  };
  const auto clearly_above = [](const Cost& a, const Cost& b) {
    return yes_or_no(a.peak_resident > b.peak_resident + kClearly);
  };
  return Observation{
      .answers = {fewer(2, 1), fewer(2, 3), fewer(3, 6), fewer(6, 7),
                  clearly_above(stage(2), stage(3)), clearly_above(stage(3), costs->glibc)},
      .exhibits = {{"LD_PRELOAD=libstage1.so steady, and so on", costs->table}}};
}

std::string explain(const Bench& /*bench*/) {
  return "Two thousand requests, and never more than a hundred blocks alive. An allocator that "
         "uses freed memory again needs a hundred blocks; one that does not needs two thousand, "
         "touches the pages of all of them, and each page that is touched for the first time is a "
         "page fault. That is what makes stages 1 and 2 slow and large, more than their system "
         "calls.\n"
         "\n"
         "The greatest step is the free list of stage 3. Splitting, coalescing and mappings change "
         "nothing here, because all blocks are of one size: each idea pays for the programs that "
         "need it, and for the others it is a few instructions more. Wholesale growth, from stage "
         "7 on, takes away most of the system calls that are left.\n"
         "\n"
         "Times are of one run on a machine that does other things too: they are shown, not "
         "predicted. In a build tree of heapspy's sources, lab/stages/measure makes the same "
         "tables "
         "for seven habits of programs, each of which is hard for one stage and easy for the next.";
}

}  // namespace

extern const Experiment kCost;
const Experiment kCost = {
    .id = "8.2",
    .title = "What each stage costs",
    .question =
        "The same work on eight stages, on glibc's malloc and on libminimalloc: what does "
        "it cost in system calls, memory and time?",
    .sources = kSources,
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
