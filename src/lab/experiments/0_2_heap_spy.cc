// 0.2: one malloc, three calls of brk: whose is each?
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/printed.h"
#include "lab/target_output.h"
#include "lab/traced_run.h"

namespace mini::lab {
namespace {

constexpr Bytes kRequest{1000};
constexpr std::string_view kSources[] = {"heap_spy.c"};
constexpr std::string_view kTerms[] = {"program break", "loader",       "cause",
                                       "stdio buffer",  "thread cache", "top pad"};

// The line of the first call of printf: what it prints needs a buffer.
Result<std::uint64_t> line_of_first_printf(const Bench& bench) {
  const auto text = read_text(bench.places.source("heap_spy.c"));
  if (!text) return std::unexpected(text.error());
  const auto at = text->find("  printf(");
  if (at == std::string::npos) return fail("heap_spy.c has no printf");
  return 1U + static_cast<std::uint64_t>(std::ranges::count(text->substr(0, at), '\n'));
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  const auto line = line_of_first_printf(bench);
  if (!line) return std::unexpected(line.error());
  HeapPlan plan(bench.machine);
  const auto buffer = plan.place((*output)->stdio_buffer());
  const auto block = plan.place(kRequest);
  return std::vector<Prediction>{
      {"calls of brk", "How many times is brk called, in all?", count(3),
       "the loader's question, the program's own, and one growth"},
      {"who makes the first", "Who makes the first call: loader, program or malloc?",
       word("loader"), "it asks where the heap will be, before main begins"},
      {"who makes the second", "The second?", word("program"),
       "its sbrk(0): the C library has to ask once, and remembers the answer"},
      {"who makes the third", "The third?", word("malloc"), "the only call that moves the break"},
      {"the line that it serves", "For which line of the program?", count(*line),
       fmt::format("the first printf: stdio needs a buffer, malloc({})", buffer.requested.count)},
      {"the break moves up by", "By how many bytes does the break move?", bytes(plan.heap()),
       plan.growth_in_words()},
      {"the block, from the heap's start",
       "How far from the heap's start is the block of malloc(1000)?", offset(block.user),
       fmt::format("{} (thread cache) + {} (stdio's chunk) + 16 (its own header)",
                   plan.thread_cache().count, buffer.chunk.count)},
  };
}

std::optional<Answer> who(const std::vector<const model::Event*>& calls, std::size_t index) {
  if (index >= calls.size()) return std::nullopt;
  return word(std::string(model::cause_name(calls[index]->cause)));
}

std::optional<Answer> line_of(const std::vector<const model::Event*>& calls, std::size_t index) {
  if (index >= calls.size()) return std::nullopt;
  const model::Event& call = *calls[index];
  if (!call.origin_frame || !call.stack) return std::nullopt;
  return count(call.stack->frames[*call.origin_frame].line);
}

Result<Observation> observe(const Bench& bench) {
  const auto run = run_traced({.command = {bench.places.program("heap_spy")}});
  if (!run) return std::unexpected(run.error());
  const auto calls = calls_of(*run, "brk");
  const auto line = line_of(calls, 2);
  if (line && *line == count(0)) {
    return fail(
        "heap_spy was stripped of its line numbers, one of which is asked for: install it "
        "again from a build, without strip");
  }
  Observation seen;
  seen.answers = {count(calls.size()), who(calls, 0), who(calls, 1), who(calls, 2), line, {}, {}};
  if (calls.size() > 2 && break_move(*calls[2]) > 0) {
    seen.answers[5] = bytes(Bytes{static_cast<std::uint64_t>(break_move(*calls[2]))});
  }
  const auto before = printed_address(run->output, "break before");
  const auto block = printed_address(run->output, "block");
  if (before && block) seen.answers[6] = offset(*block - *before);
  seen.exhibits = {
      {"heapspy trace --events --filter brk heap_spy", show_events(bench.style, calls)},
      {"What the program printed", run->output}};
  return seen;
}

std::string explain(const Bench& bench) {
  HeapPlan plan(bench.machine);
  plan.place(kRequest);
  return fmt::format(
      "It looks as if malloc(1000) got {}: the break stands there before it, and here after it. "
      "But the order of calls proves nothing. Each call has a call stack, and the stack of the "
      "third leads through printf, not through the program's malloc: printf collects what it "
      "prints in a buffer, and asks malloc for it at its first use. When the malloc(1000) comes, "
      "two lines later, the heap has room already, and the kernel is not asked at all.\n"
      "\n"
      "Two of the three calls move nothing. brk(NULL) is a question: the kernel answers with "
      "where the break is. The loader asks it before main begins; the C library asks again for "
      "the program's sbrk(0), because it keeps its own record of the break and has none yet.\n"
      "\n"
      "And why {}? Even the buffer is not what the size of the growth follows from. The first "
      "malloc of a program makes the thread cache first, a chunk of {} bytes, and it is this chunk "
      "that finds the heap empty: malloc adds the top pad of {}, a stock for what will be asked "
      "next, and rounds up to whole pages.",
      format_bytes(plan.heap()), format_bytes_exact(plan.heap()), plan.thread_cache().count,
      format_bytes(bench.machine.top_pad));
}

}  // namespace

extern const Experiment kHeapSpy;
const Experiment kHeapSpy = {
    .id = "0.2",
    .title = "One malloc, three calls of brk: whose are they?",
    .question =
        "A program asks where its break is, prints it, calls malloc(1000), and asks again. "
        "strace shows three calls of brk. Who made each, and which of them is the "
        "malloc(1000)?",
    .sources = kSources,
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
