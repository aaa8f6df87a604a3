// 8.1: two threads, two arenas; and whose arena the third thread gets.
#include <fmt/format.h>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr std::string_view kProgram = "two_threads";
constexpr std::string_view kSources[] = {"two_threads.c"};
constexpr std::string_view kTerms[] = {"arena",  "thread cache",  "reservation",
                                       "commit", "program break", "top pad"};
constexpr std::uint64_t kArenasPerProcessor = 8;  // "NARENAS_FROM_NCORES", 64 bits

// "new_heap": room for the arena's own record, and the top pad, in whole pages.
Bytes first_part(const Machine& machine) {
  const std::uint64_t page = machine.page_size.count;
  return Bytes{machine.top_pad.count / page * page + page};
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  return std::vector<Prediction>{
      {"arenas, with two threads", "Two threads have allocated. How many arenas?", count(2),
       "each thread gets one of its own, up to 8 for each processor"},
      {"first thread's block: in [heap]", "Is the first thread's block in the heap of brk?",
       yes_or_no(true), "the main arena uses the program break"},
      {"second thread's block: in [heap]", "And the second thread's?", yes_or_no(false),
       "there is one program break, and the main arena has it"},
      {"its arena is at a multiple of", "At a multiple of how many bytes does its arena begin?",
       bytes(model::kArenaHeap),
       "HEAP_MAX_SIZE: so free finds a block's arena by clearing the low bits of its address"},
      {"of which may be used", "How many bytes of that reservation may be used at first?",
       bytes(first_part(bench.machine)),
       fmt::format("{} (top pad) + the arena's own record, in whole pages",
                   bench.machine.top_pad.count)},
      {"arenas, with the third thread", "The second thread has ended, a third allocates. Arenas?",
       count(2), "an arena that lost its last thread is given to the next"},
      {"third thread's block: same arena", "Is its block in the second thread's arena?",
       yes_or_no(true), "the same"}};
}

struct Seen {
  std::vector<SeenHeap> heaps;  // of the second, of the third thread
  std::string printed;
};

Result<Seen> watch(const Bench& bench) {
  Seen seen;
  const auto look = [&](const Look& at) -> Result<void> {
    auto heap = look_at_heap(at.pid);
    if (!heap) return std::unexpected(heap.error());
    seen.heaps.push_back(std::move(*heap));
    return {};
  };
  auto printed = run_with_looks({.command = {bench.places.program(kProgram)}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  seen.printed = std::move(*printed);
  if (seen.heaps.size() != 2) return fail("two_threads did not stop at its two looks");
  return seen;
}

const model::HeapArena* arena_of(const SeenHeap& heap, std::optional<Address> block) {
  const model::HeapPiece* piece = block ? heap.block(*block) : nullptr;
  if (piece == nullptr || piece->arena == model::kNoArena) return nullptr;
  return &heap.heap().arenas[piece->arena];
}

bool is_in_brk_heap(const SeenHeap& heap, std::optional<Address> block) {
  for (const model::MemoryRegion& region : heap.inspection.regions) {
    if (block && region.mapping.path == "[heap]" && region.mapping.range.contains(*block)) {
      return true;
    }
  }
  return false;
}

// The reservation in which the arena's record is: its begin, if it is at a multiple of 64 MiB.
std::optional<Answer> alignment_of(const SeenHeap& heap, const model::HeapArena* arena) {
  if (arena == nullptr) return std::nullopt;
  const Address begin{arena->address.value / model::kArenaHeap.count * model::kArenaHeap.count};
  for (const model::MemoryRegion& region : heap.inspection.regions) {
    if (region.mapping.range.begin == begin && region.mapping.range.contains(arena->address)) {
      return bytes(model::kArenaHeap);
    }
  }
  return std::nullopt;
}

std::string list_arenas(const SeenHeap& heap) {
  std::string text =
      fmt::format("  {:<22}{:>10}{:>12}{:>14}\n", "arena", "KiB", "top KiB", "threads");
  for (const model::HeapArena& arena : heap.heap().arenas) {
    text += fmt::format("  {:<22}{:>10}{:>12}{:>14}\n",
                        arena.is_main ? "main" : format_address(arena.address),
                        arena.system.count / kKiB.count, arena.top_size.count / kKiB.count,
                        arena.attached_threads ? format_count(*arena.attached_threads) : "?");
  }
  return text;
}

Result<Observation> observe(const Bench& bench) {
  const auto seen = watch(bench);
  if (!seen) return std::unexpected(seen.error());
  const auto first = printed_address(seen->printed, "first thread's block");
  const auto second = printed_address(seen->printed, "second thread's block");
  const auto third = printed_address(seen->printed, "third thread's block");
  const SeenHeap& two = seen->heaps[0];
  const SeenHeap& then = seen->heaps[1];
  const model::HeapArena* of_second = arena_of(two, second);
  const model::HeapArena* of_third = arena_of(then, third);
  const auto first_bytes =
      of_second != nullptr ? std::optional(bytes(of_second->system)) : std::nullopt;
  return Observation{
      .answers = {count(two.heap().arenas.size()), yes_or_no(is_in_brk_heap(two, first)),
                  yes_or_no(is_in_brk_heap(two, second)), alignment_of(two, of_second), first_bytes,
                  count(then.heap().arenas.size()),
                  yes_or_no(of_second != nullptr && of_third != nullptr &&
                            of_third->address == of_second->address)},
      .exhibits = {{"LAB_WAIT=1 two_threads, the second thread's look: heapspy inspect PID",
                    list_arenas(two)},
                   {"and the third thread's", list_arenas(then)}}};
}

std::string explain(const Bench& bench) {
  return fmt::format(
      "One heap means one lock, and threads that allocate wait for each other. So glibc has "
      "several heaps, its arenas, each with a lock, bins and a top chunk of its own. A thread gets "
      "one at its first malloc: a new one, until there are {} of them for each processor (here "
      "{}); from then on they share.\n"
      "\n"
      "There is only one program break, and the main arena has it. Every other arena lives in a "
      "reservation of 64 MiB, of which just the beginning may be used; mprotect makes more of it "
      "usable as it is needed. The reservation begins at a multiple of 64 MiB. That is a trick: a "
      "block may be freed by any thread, and free finds the arena of a block by clearing the low "
      "bits of its address.\n"
      "\n"
      "When a thread ends its arena stays, with what is in it, and waits for the next thread. What "
      "it has is of no use to the others meanwhile: that is the price, and why a program with "
      "many threads has more memory than one that does the same in one thread. Stage 8 does the "
      "same with four arenas that all buy from the program break, and writes an arena's number "
      "into the size of each chunk.",
      kArenasPerProcessor, kArenasPerProcessor * bench.machine.processors);
}

}  // namespace

extern const Experiment kTwoThreads;
const Experiment kTwoThreads = {
    .id = "8.1",
    .title = "Two threads, two arenas",
    .question =
        "Two threads allocate. Do their blocks come from the same heap? And what does a "
        "thread get that begins when another has ended?",
    .sources = kSources,
    .sources_note = "To read with it: stages/stage8_threads.c, in the same folder.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
