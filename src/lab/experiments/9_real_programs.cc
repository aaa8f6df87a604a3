// 9.1, 9.2: the same real program on stages 6 to 8, glibc's malloc and libminimalloc.
#include <unistd.h>

#include "lab/experiment.h"
#include "lab/program_comparison.h"
#include "sources/launch.h"

namespace mini::lab {
namespace {

constexpr std::string_view kPythonSources[] = {"rows.py"};
constexpr std::string_view kSqliteSources[] = {"rows.sql"};
constexpr std::string_view kTerms[] = {"allocator",     "VmHWM",     "chunk",        "boundary tag",
                                       "fragmentation", "top chunk", "thread cache", "slab"};
constexpr std::string_view kOfTheMaps =
    "Blocks with a mapping of their own are not in the maps. That of libminimalloc shows whole "
    "extents of 2 MiB: what is free there is in part memory that nobody has touched yet, and "
    "that costs nothing.";

RealProgram python(const Bench& bench) {
  // The system's own first: what PATH has may be a script that looks for it.
  constexpr const char* kSystems = "/usr/bin/python3";
  RealProgram program{.name = "python3"};
  const auto path = ::access(kSystems, X_OK) == 0 ? Result<std::string>(kSystems)
                                                  : sources::resolve_command("python3");
  if (!path) return program;
  program.command = {*path, "-S", bench.places.source("rows.py")};
  // Python has an allocator of its own on top of malloc: without it each object is a block. Its
  // hashes, and so its tables, are the same each time.
  program.variables = {{"PYTHONMALLOC", "malloc"}, {"PYTHONHASHSEED", "0"}};
  return program;
}

RealProgram sqlite(const Bench& bench) {
  RealProgram program{.name = "sqlite3"};
  const auto path = sources::resolve_command("sqlite3");
  if (!path) return program;
  program.command = {*path, "-batch",
                     ":memory:", ".read '" + bench.places.source("rows.sql") + "'"};
  return program;
}

Result<std::vector<Prediction>> predict_python(const Bench& bench) {
  return predict_comparison(bench, python(bench));
}

Result<Observation> observe_python(const Bench& bench) {
  return compare_allocators(bench, python(bench));
}

std::string explain_python(const Bench& /*bench*/) {
  return "The program does not know which malloc it runs on, and prints the same on all. What "
         "differs is what it costs.\n"
         "\n"
         "Stage 6 knows splitting, coalescing and mappings. It looks through all of its free "
         "chunks "
         "for each request that none of them can serve, and then asks the kernel for just that "
         "much. Stage 7 knows where to look, and buys wholesale. Stage 8 gives each thread a "
         "cache: "
         "what that keeps counts as in use in its map, and as free in glibc's.\n"
         "\n"
         "In the maps the free space is what the program gave back by deleting half of its rows. "
         "It "
         "lies scattered between what stays, and only the free end could go back to the kernel. "
         "Python mostly avoids this: it has an allocator of its own for small objects, which is "
         "turned off here (PYTHONMALLOC=malloc) to see malloc at work.\n"
         "\n" +
         std::string(kOfTheMaps);
}

Result<std::vector<Prediction>> predict_sqlite(const Bench& bench) {
  return predict_comparison(bench, sqlite(bench));
}

Result<Observation> observe_sqlite(const Bench& bench) {
  return compare_allocators(bench, sqlite(bench));
}

std::string explain_sqlite(const Bench& /*bench*/) {
  return "A database of rows in memory is mostly blocks of one size, its pages: whichever was "
         "freed "
         "fits again. So there is less between the mallocs than with Python's objects of all "
         "sizes, "
         "and even simple stages do well. What tells them apart is how they buy memory.\n"
         "\n"
         "Half of the rows were deleted, and yet the maps show few gaps: the database keeps its "
         "empty pages for the rows to come. To malloc they are in use. What a program has and what "
         "it needs are two things, and only the program knows the second.\n"
         "\n" +
         std::string(kOfTheMaps);
}

}  // namespace

extern const Experiment kPythonProgram;
const Experiment kPythonProgram = {
    .id = "9.1",
    .title = "Python on five mallocs",
    .question =
        "A Python program makes many objects and deletes half of them. What does it cost on "
        "stages 6 to 8, on glibc's malloc and on libminimalloc, and what is the heap like?",
    .sources = kPythonSources,
    .predict = predict_python,
    .observe = observe_python,
    .explain = explain_python,
    .terms = kTerms};

extern const Experiment kSqliteProgram;
const Experiment kSqliteProgram = {
    .id = "9.2",
    .title = "SQLite on five mallocs",
    .question =
        "A database in memory loses half of its rows. What does that cost on the same "
        "mallocs, and what is the heap like then?",
    .sources = kSqliteSources,
    .predict = predict_sqlite,
    .observe = observe_sqlite,
    .explain = explain_sqlite,
    .terms = kTerms};

}  // namespace mini::lab
