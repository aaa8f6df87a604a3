// 6: the mmap threshold, found by search, and how it rises.
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "lab/stage_plan.h"
#include "lab/staged_run.h"
#include "model/malloc_arithmetic.h"
#include "model/malloc_versions.h"

namespace mini::lab {
namespace {

constexpr Bytes kFreed{256 * 1024};
constexpr std::string_view kProgram = "threshold_search";
constexpr std::string_view kSources[] = {"threshold_search.c"};
constexpr std::string_view kTerms[] = {"mmap threshold", "mmapped chunk", "mapping",
                                       "top chunk",      "trim",          "chunk"};

constexpr std::string_view kFullStock = "with a full stock";
constexpr std::string_view kUsedUp = "with the stock used up";
constexpr std::string_view kAfterFree = "after a free of 262144";

// The smallest request whose chunk is `least` or longer.
Bytes request_of_chunk(Bytes least) {
  Bytes request = least - model::kChunkHeader;
  while (model::chunk_of_request(request - Bytes{1}).value_or(Bytes{}) >= least) {
    request -= Bytes{1};
  }
  return request;
}

Bytes stage_request_of_chunk(Bytes least) {
  Bytes request = least - kStageHeader;
  while (stage_chunk(6, request - Bytes{1}) >= least) request -= Bytes{1};
  return request;
}

// malloc looks at its threshold only where the top chunk cannot serve the request, and keep a
// smallest chunk for itself.
Bytes first_beyond(Bytes top) {
  return top - model::kSmallestChunk + model::kChunkAlignment;
}

struct Plan {
  Bytes top;        // when the program's first block has been freed
  Bytes mapping;    // of the block that is freed
  Bytes threshold;  // afterwards
};

Plan plan_for(const Bench& bench) {
  HeapPlan heap(bench.machine);
  heap.place(Bytes{1});
  const auto chunk = model::chunk_of_request(kFreed).value_or(Bytes{});
  const std::string& version = bench.machine.glibc_version;
  const auto mapping = model::mapping_of_chunk(chunk, bench.machine.page_size).value_or(Bytes{});
  return {.top = heap.top() - model::free_lists(version).cache_made_by_free,
          .mapping = mapping,
          .threshold = model::chunk_of_mapping(mapping, version)};
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const Plan plan = plan_for(bench);
  const Bytes threshold = bench.machine.mmap_threshold;
  const Bytes full = std::max(first_beyond(plan.top), threshold);
  return std::vector<Prediction>{
      {"found, with the stock used up",
       "malloc's top chunk is short. What is the smallest request that gets its own mapping?",
       count(request_of_chunk(threshold).count),
       fmt::format("the smallest with a chunk of {} (M_MMAP_THRESHOLD): {} - 8 - 15",
                   threshold.count, threshold.count)},
      {"found, with a full stock", "And when the heap is new, and its top chunk long?",
       count(request_of_chunk(full).count),
       fmt::format("the top chunk of {} serves all that leave {} of it, whatever the threshold is",
                   plan.top.count, model::kSmallestChunk.count)},
      {"the mapping of 256 KiB", "How long is the mapping of a block of 256 KiB?",
       bytes(plan.mapping), "262144 + 16, rounded up to pages"},
      {"found, after that was freed", "That block has been freed. And now?",
       count(request_of_chunk(plan.threshold).count),
       fmt::format("the threshold has become {}, the chunk that was freed", plan.threshold.count)},
      {"mmap threshold in malloc's memory", "What does malloc itself have as its threshold now?",
       bytes(plan.threshold), "the same"},
      {"trim threshold in its memory", "And from which top chunk on does it give memory back?",
       bytes(plan.threshold * 2), "twice that"},
      {"stage 6: found at first",
       "Stage 6 has a threshold of 128 KiB as well. What is found there?",
       count(stage_request_of_chunk(kStageMmapThreshold).count),
       "131072 - 16 - 15: its header is longer"},
      {"stage 6: found after the free", "And after that block was freed?",
       count(stage_request_of_chunk(kStageMmapThreshold).count), "its threshold stays"}};
}

Result<Observation> observe(const Bench& bench) {
  std::optional<model::HeapParameters> parameters;
  const auto look = [&](const Look& at) -> Result<void> {
    const auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    parameters = heap->heap().parameters;
    return {};
  };
  const auto printed =
      run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (!parameters) return fail("threshold_search did not stop at its look");
  const auto runs = run_on_allocators(bench, kProgram, 6);
  if (!runs) return std::unexpected(runs.error());
  const auto found = [&](std::string_view key) -> std::optional<Answer> {
    const auto number = printed_number(*printed, key);
    return number ? std::optional(count(*number)) : std::nullopt;
  };
  return Observation{
      .answers = {found(kUsedUp), found(kFullStock), bytes(parameters->most_mmapped),
                  found(kAfterFree), bytes(parameters->mmap_threshold),
                  bytes(parameters->trim_threshold), printed_count(*runs, "stage 6", kUsedUp),
                  printed_count(*runs, "stage 6", kAfterFree)},
      .exhibits = {{"LD_PRELOAD=libstage6.so threshold_search, and so on: smallest request",
                    table_of(*runs, {{"full stock", kFullStock},
                                     {"stock used up", kUsedUp},
                                     {"after the free", kAfterFree}})}}};
}

std::string explain(const Bench& bench) {
  return fmt::format(
      "A block in the heap can be given back to the kernel only when nothing behind it is in use. "
      "A mapping of its own can go at any time. But it costs two system calls, whole pages, and a "
      "page fault for each of them, every time: so only large blocks get one.\n"
      "\n"
      "From {} on, says glibc, and means the chunk, not the request. And it means it only where it "
      "has to ask the kernel anyway: while the top chunk is long enough the block is cut from it. "
      "That is why the same search in a new heap finds another figure.\n"
      "\n"
      "Then the program frees a block that had a mapping. To malloc this is a sign that blocks of "
      "this size come and go, for which a mapping is the worst choice. It raises the threshold to "
      "the chunk that was freed, up to 32 MiB, and the trim threshold to twice that. A program "
      "that "
      "sets either by mallopt or in its environment stops this. Stage 6 does not learn.\n"
      "\n"
      "libminimalloc gets all its memory by mmap. It has nothing in the heap of the program break, "
      "so by this search each request, from 1 byte on, is outside it.",
      format_bytes(bench.machine.mmap_threshold));
}

}  // namespace

extern const Experiment kThreshold;
const Experiment kThreshold = {
    .id = "6",
    .title = "The mmap threshold, found by search, and how it moves",
    .question = "From which size on does a block get a mapping of its own, and does that stay so?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage6_mmap.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
