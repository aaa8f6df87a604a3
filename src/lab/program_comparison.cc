#include "lab/program_comparison.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "lab/heap_strip.h"
#include "lab/looked_run.h"
#include "lab/measured_run.h"
#include "lab/stage_heap.h"
#include "sources/inspect_process.h"
#include "views/flow.h"

namespace mini::lab {
namespace {

constexpr int kFirstStage = 6;
constexpr std::uint64_t kStages = 3;
constexpr std::uint64_t kStripLines = 4;

bool is_stage(const Allocator& allocator) {
  return allocator.name.starts_with("stage");
}

struct HeapView {
  std::vector<StripPiece> pieces = {};
  Bytes heap = {};               // of a stage: what there is to cover
  std::string not_because = {};  // where there are no pieces
};

struct Trial {
  Allocator allocator;
  std::string printed = {};
  Cost cost = {};
  HeapView view = {};
};

sources::Variables variables_of(const RealProgram& program, const Allocator& allocator) {
  sources::Variables all = program.variables;
  for (const auto& variable : preload(allocator)) all.push_back(variable);
  return all;
}

Result<HeapView> view_stage(pid_t pid) {
  const auto inspection = sources::inspect_process(pid, {.stop = true});
  if (!inspection) return std::unexpected(inspection.error());
  for (const model::MemoryRegion& region : inspection->regions) {
    if (region.mapping.path != "[heap]") continue;
    auto pieces = read_stage_heap(pid, region.mapping.range);
    if (!pieces) return std::unexpected(pieces.error());
    return HeapView{.pieces = std::move(*pieces), .heap = region.mapping.range.size()};
  }
  return HeapView{.not_because = "it has no heap of the program break"};
}

// What has no arena has a mapping of its own.
HeapView view_by_inspector(pid_t pid) {
  HeapView view;
  const auto seen = look_at_heap(pid);
  if (!seen) {
    view.not_because = seen.error().message;
    return view;
  }
  for (const model::HeapPiece& piece : seen->pieces) {
    if (piece.arena == model::kNoArena) continue;
    view.pieces.push_back({.size = piece.range.size(), .is_free = model::is_free(piece.use)});
  }
  return view;
}

Result<Trial> try_on(const RealProgram& program, const Allocator& allocator) {
  Trial trial{.allocator = allocator};
  const sources::Variables variables = variables_of(program, allocator);
  bool looked = false;
  const auto look = [&](const Look& at) -> Result<void> {
    looked = true;
    if (!is_stage(allocator)) {
      trial.view = view_by_inspector(at.pid);
      return {};
    }
    auto view = view_stage(at.pid);
    if (!view) return std::unexpected(view.error());
    trial.view = std::move(*view);
    return {};
  };
  auto printed =
      run_with_looks({.command = program.command, .variables = variables, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (!looked) return fail(fmt::format("{} did not stop at its look", program.name));
  trial.printed = std::move(*printed);
  const auto cost = measure(program.command, variables);
  if (!cost) return std::unexpected(cost.error());
  trial.cost = *cost;
  return trial;
}

Result<std::vector<Trial>> try_on_all(const Bench& bench, const RealProgram& program) {
  std::vector<Trial> trials;
  for (const Allocator& allocator : allocators(bench.places, kFirstStage)) {
    auto trial = try_on(program, allocator);
    if (!trial) return fail(fmt::format("{}: {}", allocator.name, trial.error().message));
    trials.push_back(std::move(*trial));
  }
  return trials;
}

bool is_covered(const Trial& trial, Bytes page_size) {
  Bytes sum;
  for (const StripPiece& piece : trial.view.pieces) sum += piece.size;
  return !trial.view.pieces.empty() && trial.view.heap - sum < page_size;
}

std::uint64_t free_neighbours(const std::vector<StripPiece>& pieces) {
  std::uint64_t pairs = 0;
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    if (pieces[i - 1].is_free && pieces[i].is_free) ++pairs;
  }
  return pairs;
}

std::string table_of(const std::vector<Trial>& trials) {
  std::string text = fmt::format("  {:<14}{:>10}{:>11}{:>13}{:>8}{:>10}{:>11}\n", "", "time ms",
                                 "peak KiB", "memory calls", "brk", "free KiB", "in pieces");
  for (const Trial& trial : trials) {
    Bytes free;
    std::uint64_t pieces = 0;
    for (const StripPiece& piece : trial.view.pieces) {
      if (!piece.is_free) continue;
      free += piece.size;
      ++pieces;
    }
    const bool known = !trial.view.pieces.empty();
    text += fmt::format("  {:<14}{:>10.1f}{:>11}{:>13}{:>8}{:>10}{:>11}\n", trial.allocator.name,
                        static_cast<double>(trial.cost.elapsed_ns) / 1e6,
                        format_count(trial.cost.peak_resident.count / kKiB.count),
                        format_count(trial.cost.memory_calls), format_count(trial.cost.break_calls),
                        known ? format_count(free.count / kKiB.count) : "?",
                        known ? format_count(pieces) : "?");
  }
  return text;
}

Exhibit map_of(const Bench& bench, const Trial& trial) {
  const HeapView& view = trial.view;
  if (view.pieces.empty()) {
    std::string text;
    views::Flow(text, bench.style, 2)
        .column(2)
        .put(fmt::format("It cannot be drawn: {}.", view.not_because))
        .end_line();
    return {fmt::format("The heap on {}", trial.allocator.name), text};
  }
  const Bytes cell = strip_cell(view.pieces, kStripLines);
  return {fmt::format("The heap on {} (a character is {}: # in use, . free, + both)",
                      trial.allocator.name, format_bytes(cell)),
          draw_strip(view.pieces, cell)};
}

std::uint64_t break_calls_of(const std::vector<Trial>& trials, std::string_view allocator) {
  const auto found = std::ranges::find_if(
      trials, [&](const Trial& trial) { return trial.allocator.name == allocator; });
  return found == trials.end() ? 0 : found->cost.break_calls;
}

}  // namespace

Result<std::vector<Prediction>> predict_comparison(const Bench& bench, const RealProgram& program) {
  const Prediction installed{fmt::format("{} is installed", program.name),
                             fmt::format("Is {} installed on this machine?", program.name),
                             yes_or_no(!program.command.empty()),
                             program.command.empty() ? "it is not: this experiment is left out here"
                                                     : "looked for in PATH"};
  if (program.command.empty()) return std::vector<Prediction>{installed};
  return std::vector<Prediction>{
      installed,
      {"runs, all with the same output", "On how many mallocs does it print the same?",
       count(allocators(bench.places, kFirstStage).size()),
       "what a malloc does must not show, except in cost"},
      {"stage 6 buys more often than 7", "Does stage 6 call brk more often than stage 7?",
       yes_or_no(true),
       "it buys each block that does not fit one by one, stage 7 128 KiB at a time"},
      {"stages with chunks end to end", "On how many of stages 6 to 8 do chunks cover the heap?",
       count(kStages), "c + size(c) = n: the next chunk begins where the last one ends"},
      {"free neighbours on these stages", "How many free chunks there have a free neighbour?",
       count(0), "they were joined when the second was freed"}};
}

Result<Observation> compare_allocators(const Bench& bench, const RealProgram& program) {
  if (program.command.empty()) {
    return Observation{
        .answers = {yes_or_no(false)},
        .exhibits = {{"Left out", fmt::format("  {} is not installed here. With it this shows what "
                                              "it costs on\n  each malloc.\n",
                                              program.name)}}};
  }
  const auto trials = try_on_all(bench, program);
  if (!trials) return std::unexpected(trials.error());
  std::uint64_t same = 0;
  std::uint64_t covered = 0;
  std::uint64_t neighbours = 0;
  std::vector<Exhibit> exhibits = {
      {fmt::format(
           "{} on each malloc, printing: {}", program.name,
           trials->front().printed.substr(0, trials->front().printed.find_first_of("\r\n"))),
       table_of(*trials)}};
  for (const Trial& trial : *trials) {
    if (trial.printed == trials->front().printed) ++same;
    if (is_stage(trial.allocator)) {
      if (is_covered(trial, bench.machine.page_size)) ++covered;
      neighbours += free_neighbours(trial.view.pieces);
    }
    exhibits.push_back(map_of(bench, trial));
  }
  const bool fewer = break_calls_of(*trials, "stage 6") > break_calls_of(*trials, "stage 7");
  return Observation{.answers = {yes_or_no(true), count(same), yes_or_no(fewer), count(covered),
                                 count(neighbours)},
                     .exhibits = std::move(exhibits)};
}

}  // namespace mini::lab
