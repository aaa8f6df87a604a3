// 0.1: the memory calls of any command, by phase.
#include <fmt/format.h>
#include <optional>
#include <set>
#include <unistd.h>

#include "base/text.h"
#include "kernel/elf_class.h"
#include "lab/elf_program.h"
#include "lab/experiment.h"
#include "lab/heap_plan.h"
#include "lab/traced_run.h"
#include "sources/launch.h"

namespace mini::lab {
namespace {

constexpr std::string_view kTerms[] = {"loader", "phase", "cause", "bss", "program break"};
constexpr const char* kLoaderCache = "/etc/ld.so.cache";

std::vector<std::string> command_of(const Bench& bench) {
  return bench.command.empty() ? std::vector<std::string>{"ls", "/"} : bench.command;
}

std::string in_words(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) text += text.empty() ? word : " " + word;
  return text;
}

struct Libraries {
  std::vector<std::string> paths;
  std::uint64_t segments = 0;
  std::uint64_t tails = 0;
};

Result<Libraries> libraries_to_map(const Bench& bench) {
  const auto path = sources::resolve_command(command_of(bench).front());
  if (!path) return std::unexpected(path.error());
  if (kernel::classify_file(*path) == kernel::FileKind::kScript) {
    return fail(
        fmt::format("{} is a script, and this is predicted from a program's own file: name "
                    "the program that runs the script, and then the script",
                    *path));
  }
  auto paths = libraries_of(*path);
  if (!paths) return std::unexpected(paths.error());
  Libraries libraries{.paths = std::move(*paths)};
  for (const std::string& library : libraries.paths) {
    const auto program = read_elf_program(library);
    if (!program) return std::unexpected(program.error());
    libraries.segments += program->segments.size();
    for (const LoadedSegment& segment : program->segments) {
      libraries.tails += segment.has_anonymous_tail(bench.machine.page_size) ? 1U : 0U;
    }
  }
  return libraries;
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const auto libraries = libraries_to_map(bench);
  if (!libraries) return std::unexpected(libraries.error());
  const bool has_cache = ::access(kLoaderCache, R_OK) == 0 && !libraries->paths.empty();
  HeapPlan plan(bench.machine);
  plan.place(Bytes{1});
  std::string names;
  for (const std::string& path : libraries->paths) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", path_basename(path));
  }
  std::vector<Prediction> all = {
      {"libraries that are mapped", "How many libraries does the loader map?",
       count(libraries->paths.size()),
       names.empty() ? "the program is static" : names + ": as its loader lists them"},
      {"mmap calls for their segments", "With how many calls of mmap, for parts of their files?",
       count(libraries->segments), "one for each PT_LOAD in their program headers"},
      {"mmap calls for their zeros", "And how many for variables that are zero at first?",
       count(libraries->tails),
       "one for each library whose zeroed variables (bss) reach past its file's last page"},
      {"mmap calls for the loader's cache", "How many for the list of where libraries are?",
       count(has_cache ? 1U : 0U), fmt::format("{}, mapped, searched, unmapped", kLoaderCache)}};
  if (plan.thread_cache() > Bytes{}) {
    all.push_back({"the first growth is as predicted",
                   fmt::format("If malloc makes the heap grow, is it by {} at first?",
                               format_bytes(plan.heap())),
                   yes_or_no(true),
                   fmt::format("{} bytes = {}; or there is none", plan.heap().count,
                               plan.growth_in_words())});
  }
  return all;
}

// What the loader does before the program's own code runs. Libraries that are opened later, by
// dlopen, are not in the loader's list.
struct Loading {
  std::set<std::string> libraries;
  std::uint64_t segments = 0;
  std::uint64_t tails = 0;
  std::uint64_t caches = 0;
};

Loading loading_in(const TracedRun& run) {
  Loading loading;
  for (const model::Event* event : calls_of(run, "mmap")) {
    if (event->cause != model::Cause::kLoader || event->phase > model::Phase::kLibraryLoading ||
        event->error_number != 0 || event->mappings_before.empty()) {
      continue;
    }
    const model::Mapping& mapping = event->mappings_before.front();
    if (mapping.path == kLoaderCache) {
      ++loading.caches;
    } else if (event->role == model::Role::kLibraryFile) {
      ++loading.segments;
      loading.libraries.insert(mapping.path);
    } else if (event->role == model::Role::kBss) {
      ++loading.tails;
    }
  }
  return loading;
}

std::optional<Bytes> first_growth(const TracedRun& run) {
  for (const model::Event* event : calls_of(run, "brk")) {
    if (event->cause != model::Cause::kMalloc || break_move(*event) <= 0) continue;
    return Bytes{static_cast<std::uint64_t>(break_move(*event))};
  }
  return std::nullopt;
}

std::string by_phase(const model::Ledger& ledger) {
  std::string text =
      fmt::format("  {:<22}{:>8}{:>16}{:>16}\n", "phase", "calls", "gained KiB", "returned KiB");
  std::uint64_t calls = 0;
  for (int i = 0; i < model::kPhaseCount; ++i) {
    const model::PhaseRow& row = ledger.by_phase[static_cast<std::size_t>(i)];
    calls += row.calls_count;
    text +=
        fmt::format("  {:<22}{:>8}{:>16}{:>16}\n", model::phase_title(static_cast<model::Phase>(i)),
                    row.calls_count, format_count(row.gained.count / kKiB.count),
                    format_count(row.returned.count / kKiB.count));
  }
  text += fmt::format("  {:<22}{:>8}\n\n  by system call:", "all", calls);
  for (const auto& [name, times] : ledger.calls_by_syscall) {
    text += fmt::format(" {} {}", name, times);
  }
  return text + "\n";
}

Result<Observation> observe(const Bench& bench) {
  const auto command = command_of(bench);
  const auto run = run_traced({.command = command});
  if (!run) return std::unexpected(run.error());
  const Loading loading = loading_in(*run);
  Observation seen;
  seen.answers = {count(loading.libraries.size()), count(loading.segments), count(loading.tails),
                  count(loading.caches)};
  HeapPlan plan(bench.machine);
  plan.place(Bytes{1});
  const auto growth = first_growth(*run);
  if (plan.thread_cache() > Bytes{}) {
    seen.answers.emplace_back(yes_or_no(!growth || *growth == plan.heap()));
  }
  std::vector<const model::Event*> growths;
  for (const model::Event* event : calls_of(*run, "brk")) {
    if (break_move(*event) != 0) growths.push_back(event);
  }
  seen.exhibits = {
      {fmt::format("heapspy trace --summary {}", in_words(command)), by_phase(run->ledger)},
      {fmt::format("heapspy trace --events --filter brk {}", in_words(command)),
       growths.empty() ? "  The break was never moved.\n" : show_events(bench.style, growths)}};
  return seen;
}

std::string explain(const Bench& bench) {
  return fmt::format(
      "Before a program can print a line, most of its memory calls have been made, and not by "
      "itself. The kernel maps the program and its loader. The loader finds the libraries that "
      "the program names, with the help of a list that it maps and unmaps again, and maps each: "
      "its header, its code, its constants, its variables are segments with rights of their own, "
      "hence the calls in fours and fives. What a library's variables need beyond its file is "
      "mapped as anonymous memory, which is zero.\n"
      "\n"
      "All of that can be read off the files beforehand, as was done here. What cannot is whether "
      "the program needs a heap, when, and for whom: that is decided by code that runs. Only that "
      "the first growth, if there is one, is {} can be said: see 0.2.\n"
      "\n"
      "Try it with another command: heapspy lab 0.1 bash -c true",
      [&] {
        HeapPlan plan(bench.machine);
        plan.place(Bytes{1});
        return format_bytes(plan.heap());
      }());
}

}  // namespace

extern const Experiment kAnyCommand;
const Experiment kAnyCommand = {
    .id = "0.1",
    .title = "The memory calls of any command, by phase",
    .question =
        "A command runs, say `ls /`. What does it ask the kernel for in memory, in which "
        "phase of its life, and for what?",
    .sources = {},
    .sources_note =
        "The program is any command: `heapspy lab 0.1 CMD ARG...`. Without one it is "
        "`ls /`.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms,
    .takes_command = true};

}  // namespace mini::lab
