// 2: what a header costs in bytes, and what realloc needs it for.

#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/stage_plan.h"
#include "lab/staged_run.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr Bytes kRequest{24};
constexpr std::uint64_t kShortenings = 9;
constexpr std::string_view kProgram = "header";
constexpr std::string_view kSources[] = {"header.c"};
constexpr std::string_view kTerms[] = {"header", "chunk", "requested", "usable", "bump allocator"};

constexpr std::string_view kApart = "from the first block to the second";
constexpr std::string_view kUsable = "usable of 24 bytes";
constexpr std::string_view kMoves = "moves of nine that make shorter";

Result<std::vector<Prediction>> predict(const Bench& /*bench*/) {
  const Bytes chunk = model::chunk_of_request(kRequest).value_or(Bytes{});
  return std::vector<Prediction>{
      {"stage 1: from block to block", "How far apart are two blocks of 24 bytes on stage 1?",
       count(stage_chunk(1, kRequest).count), "24, rounded up to 16"},
      {"stage 2: from block to block", "And on stage 2, which has headers?",
       count(stage_chunk(2, kRequest).count), "16 (header) + 24, rounded up to 16"},
      {"glibc: from block to block", "And on glibc's malloc?", count(chunk.count),
       chunk_in_words(kRequest)},
      {"stage 1: usable of 24 bytes", "What does malloc_usable_size say of one on stage 1?",
       count(0), "0 means: not known. Nobody wrote it down"},
      {"stage 2: usable of 24 bytes", "And on stage 2?",
       count((stage_chunk(2, kRequest) - kStageHeader).count), "the chunk without its header"},
      {"glibc: usable of 24 bytes", "And on glibc's malloc?",
       count((chunk - model::kChunkHeader).count),
       "the chunk without its size: glibc's block may use the first 8 bytes of the next chunk"},
      {"stage 1: blocks that realloc moves",
       "Nine times realloc makes a block shorter. How often does it move, on stage 1?",
       count(kShortenings), "every time: it cannot know that the old place is long enough"},
      {"stage 2: blocks that realloc moves", "And on stage 2?", count(0),
       "the size in the header says that there is room"},
      {"glibc: blocks that realloc moves", "And on glibc's malloc?", count(0), "the same"}};
}

Result<Observation> observe(const Bench& bench) {
  const auto runs = run_on_allocators(bench, kProgram, 1);
  if (!runs) return std::unexpected(runs.error());
  Observation seen;
  for (const std::string_view key : {kApart, kUsable, kMoves}) {
    for (const std::string_view allocator : {"stage 1", "stage 2", "glibc"}) {
      seen.answers.push_back(printed_count(*runs, allocator, key));
    }
  }
  seen.exhibits = {{"LD_PRELOAD=libstage1.so header, and so on",
                    table_of(*runs, {{"from block to block", kApart},
                                     {"usable of 24", kUsable},
                                     {"moved by realloc", kMoves}})}};
  return seen;
}

std::string explain(const Bench& /*bench*/) {
  return "free and realloc are given an address, and nothing else. What an allocator will want to "
         "know of a block it has to write down, where it can be found again without a search: "
         "right "
         "before the block. That is the header.\n"
         "\n"
         "It costs: on stage 2 it holds 8 bytes and takes 16, because the block behind it has to "
         "begin at a multiple of 16. A block of 24 bytes then takes 48, as much header and padding "
         "as block. glibc is thriftier. It puts 8 bytes before the block and lets the block run "
         "into the first 8 bytes of the next chunk, which that chunk needs only while this one is "
         "free. So 24 bytes take 32.\n"
         "\n"
         "And it pays: without it realloc cannot tell whether the block is long enough already. "
         "Stage 1 moves the block even to make it shorter, and leaves the old one behind for good. "
         "libminimalloc has headers only for the first blocks of a process, as these are. Those "
         "after them have none, and yet it knows: all blocks of a page are of one size, and that "
         "size is in a table of pages. It moves a block all the same, if half of it would be left "
         "over: that is memory that others can use.";
}

}  // namespace

extern const Experiment kHeader;
const Experiment kHeader = {
    .id = "2",
    .title = "What a header costs, and what realloc needs it for",
    .question =
        "Stage 2 writes down before each block how long it is. What does that cost, and "
        "what can it do then that stage 1 cannot?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage2_header.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
