// Who asked, by the stack: with the names of libc's internal functions and without.
#include "explain/attribution.h"

#include <gtest/gtest.h>
#include <ostream>

#include "story.h"

namespace mini::explain {
namespace {

using model::Cause;

struct Case {  // NOLINT(clang-analyzer-optin.performance.Padding): in reading order
  std::string_view name;
  std::string_view stack;
  Cause cause;
  std::string_view detail;  // as the event has it
  int origin;               // index of the origin frame, -1 none
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for that name.
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class AttributionTest : public testing::TestWithParam<Case> {};

TEST_P(AttributionTest, IsToldByTheStack) {
  const Case& c = GetParam();
  Story story;
  const model::Event event = story.mmap(range_of(0x7000'0000, 0x1000), c.stack);
  EXPECT_EQ(event.cause, c.cause) << model::cause_name(event.cause);
  EXPECT_EQ(event.cause_detail, c.detail);
  EXPECT_EQ(event.origin_frame ? static_cast<int>(*event.origin_frame) : -1, c.origin);
}

// The end of every stack of a dynamic program, with names and without.
#define MAIN " main@p __libc_start_call_main@c __libc_start_main_impl@c _start@p"
#define STRIPPED_MAIN " ?@p ?@c __libc_start_main@c ?@p"
#define CONSTRUCTOR " call_init@l _dl_init@l _dl_start_user@l"

constexpr Case kCases[] = {
    {"stdio_buffer", kPrintfGrowth, Cause::kMalloc, "stdio buffer", 13},
    {"stdio_buffer_without_names", kPrintfGrowthUnnamed, Cause::kMalloc, "stdio buffer", 12},
    {"stdio_but_no_buffer", "brk@c sbrk@c sysmalloc@c malloc@c __work_buffer@c printf@c" MAIN,
     Cause::kMalloc, "stdio", 6},
    {"plain_malloc", kMallocGrowth, Cause::kMalloc, "malloc", 6},
    {"calloc", "mmap@c ?@c ?@c calloc@c" STRIPPED_MAIN, Cause::kMalloc, "calloc", 4},
    {"realloc_is_the_outermost", "mremap@c mremap_chunk@c malloc@c realloc@c" MAIN, Cause::kMalloc,
     "realloc", 4},
    {"tail_call_to_aligned", "brk@c sbrk@c sysmalloc@c _int_memalign@c _mid_memalign@c" MAIN,
     Cause::kMalloc, "aligned allocation", 5},
    {"operator_new", "brk@c ?@c malloc@c operator~new(unsigned~long)@C" MAIN, Cause::kMalloc,
     "operator new", 4},
    {"malloc_parts_without_an_entry", "munmap@c munmap_chunk@c" MAIN, Cause::kMalloc, "", 2},
    {"fopen", "brk@c ?@c malloc@c ?@c fopen@c" MAIN, Cause::kMalloc, "fopen", 5},
    {"asprintf_is_no_stream",
     "brk@c malloc@c _IO_str_overflow@c __vfprintf_internal@c "
     "__vasprintf_internal@c asprintf@c" MAIN,
     Cause::kMalloc, "asprintf", 6},
    {"name_service", "brk@c malloc@c ?@c getpwuid@c" STRIPPED_MAIN, Cause::kMalloc, "name service",
     4},
    {"free_in_a_service", "munmap@c free@c __nss_database_get@c getpwuid@c" MAIN, Cause::kMalloc,
     "name service, free", 4},
    {"service_ends_at_the_programs_frame", "brk@c malloc@c compare@p qsort@c" MAIN, Cause::kMalloc,
     "malloc", 2},
    {"constructor", "brk@c sbrk@c malloc@c fopen@c selinuxfs_exists@s init@s" CONSTRUCTOR,
     Cause::kMalloc, "libselinux.so.1 constructor, fopen", 4},
    {"constructor_without_names", "brk@c sbrk@c ?@c malloc@c fopen@c ?@s ?@s ?@l ?@l ?@l",
     Cause::kMalloc, "libselinux.so.1 constructor, fopen", 5},
    {"constructors_own_mmap", "mmap@c ?@s ?@l ?@l", Cause::kProgram,
     "libselinux.so.1 constructor, libselinux.so.1's own mmap", 1},
    {"constructor_by_dlopen", "brk@c malloc@c ?@x ?@l ?@l ?@c dlopen@c" MAIN, Cause::kMalloc,
     "libother.so.2 constructor, malloc", 7},
    {"destructor", "munmap@c free@c ?@x ?@l ?@c exit@c" MAIN, Cause::kMalloc,
     "libother.so.2 destructor, free", 6},
    {"executables_constructor",
     "brk@c malloc@c setup@p call_init@c __libc_start_main_impl@c _start@p", Cause::kMalloc,
     "prog constructor, malloc", 2},
    {"loader_asks_libcs_malloc", "brk@c sysmalloc@c malloc@c ?@l ?@l", Cause::kMalloc, "loader",
     -1},
    {"thread_local_storage_is_no_constructor",
     "brk@c malloc@c ?@l __tls_get_addr@l use@x work@p" MAIN, Cause::kMalloc, "loader", 5},
    {"loader", kLoaderMaps, Cause::kLoader, "", -1},
    {"loader_without_names", kLoaderMapsUnnamed, Cause::kLoader, "", -1},
    {"loaders_thread_local_storage", "mmap@l _dl_allocate_tls_storage@l init_tls@l dl_main@l",
     Cause::kLoader, "thread-local storage", -1},
    {"dlopen", "?@l ?@l ?@l _dl_open@l dlopen_doit@c dlopen@c" MAIN, Cause::kLoader, "dlopen", 6},
    {"dlopen_without_names", "?@l ?@l ?@l ?@c ?@c dlopen@c" STRIPPED_MAIN, Cause::kLoader, "dlopen",
     6},
    {"dlclose", "munmap@l _dl_unmap@l _dl_close@l ?@c dlclose@c" MAIN, Cause::kLoader, "dlclose",
     5},
    {"libc_startup", "brk@c __libc_setup_tls@c __libc_start_main@c _start@p", Cause::kLibcStartup,
     "", -1},
    {"own_sbrk", kOwnSbrk, Cause::kProgram, "its own sbrk", 2},
    {"own_mmap_stripped", "mmap@c ?@p" STRIPPED_MAIN, Cause::kProgram, "its own mmap", 1},
    {"own_system_call", "work@p" MAIN, Cause::kProgram, "its own mmap", 0},
    {"librarys_own_mmap", "mmap64@c pool@x work@p" MAIN, Cause::kProgram,
     "libother.so.2's own mmap64", 2},
    {"spawned_child_has_a_stack_of_its_own",
     "execve@c __execvpe_common@c __spawni_child@c clone3@c", Cause::kProgram, "posix_spawn", -1},
    {"locale_is_libcs_service", "mmap@c _nl_load_locale@c setlocale@c" MAIN, Cause::kProgram,
     "locale", 3},
    {"locale_without_names", "mmap@c ?@c ?@c setlocale@c" STRIPPED_MAIN, Cause::kProgram, "locale",
     4},
    {"exit_handlers_of_libc",
     "munmap@c _IO_cleanup@c __run_exit_handlers@c exit@c "
     "__libc_start_call_main@c __libc_start_main_impl@c _start@p",
     Cause::kProgram, "exit", -1},
    {"thread_stack", "mmap@c allocate_stack@c pthread_create@c" MAIN, Cause::kProgram,
     "pthread_create stack", 3},
    {"thread_stack_of_a_runtime", "mmap@c pthread_create@c ?@v ?@v" MAIN, Cause::kRuntime,
     "HotSpot, pthread_create stack", 4},
    {"pthread_creates_own_malloc", "brk@c calloc@c _dl_allocate_tls@l pthread_create@c" MAIN,
     Cause::kMalloc, "pthread_create", 4},
    {"end_of_a_thread", "madvise@c start_thread@c clone3@c", Cause::kProgram, "thread exit", -1},
    {"arena_of_a_thread",
     "mmap@c alloc_new_heap@c arena_get2@c tcache_init@c malloc@c run@p "
     "start_thread@c clone3@c",
     Cause::kMalloc, "malloc", 5},
    {"jemalloc", "mmap@c os_pages_map@j ?@j malloc@j work@p" MAIN, Cause::kRuntime, "jemalloc", 4},
    {"jemalloc_linked_in", "mmap@c je_pages_map@p je_extent_alloc@p malloc@p work@p" MAIN,
     Cause::kRuntime, "jemalloc", 4},
    {"jemallocs_function_of_any_name",
     "mmap@c os_pages_map@p pac_alloc_real@p je_malloc_default@p work@p" MAIN, Cause::kRuntime,
     "jemalloc", 4},
    {"go_in_between_its_runtime", "runtime.sysMmap@p main.work@p runtime.main@p", Cause::kRuntime,
     "Go runtime", 1},
    {"allocators_mmap_is_only_a_wrapper", "mmap@j" MAIN, Cause::kProgram, "its own mmap", 1},
    {"allocators_mmap_for_itself", "mmap@j grow@j malloc@j" MAIN, Cause::kRuntime, "jemalloc", 3},
    {"unknown_allocator_of_the_program", "mmap@c malloc@p work@p" MAIN, Cause::kRuntime,
     "an allocator of its own", 2},
    {"unknown_allocator_in_a_library", "mmap@c calloc@x work@p" MAIN, Cause::kRuntime,
     "an allocator of its own", 2},
    {"cpython_arena", "mmap@c ?@y ?@y __libc_start_main@c ?@y", Cause::kRuntime, "CPython", -1},
    {"malloc_in_a_runtime", "brk@c malloc@c ?@v ?@v" MAIN, Cause::kMalloc, "malloc", 4},
    {"locale_of_a_runtime", "mmap@c _nl_find_locale@c setlocale@c ?@v" MAIN, Cause::kProgram,
     "locale", 4},
    {"code_made_at_run_time_in_a_runtime", "mmap@c ?@- ?@- ?@v" MAIN, Cause::kRuntime, "HotSpot",
     4},
    {"musl", "brk@m __expand_heap@m malloc@m work@p main@p", Cause::kMalloc, "musl malloc", 3},
    {"musl_loader", "?@m ?@m ?@m", Cause::kLoader, "", -1},
    {"inlined_language_code_is_not_the_origin",
     "brk@c malloc@c operator~new(unsigned~long)@C std::vector<int>::push_back(int)@p work@p" MAIN,
     Cause::kMalloc, "operator new", 4},
    {"vdso_says_nothing", "mmap@c __vdso_getcpu@k work@p" MAIN, Cause::kProgram, "its own mmap", 2},
    {"nothing_but_libc", "mmap@c ?@c ?@c", Cause::kUnknown, "libc internal", -1},
    {"nothing_but_made_code", "?@- ?@-", Cause::kUnknown, "code made at run time", -1},
    {"empty", " ", Cause::kUnknown, "no stack", -1},
};

INSTANTIATE_TEST_SUITE_P(Stacks, AttributionTest, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(AttributionOfMuslTest, AStackThatWasCutDoesNotTellItsLoaderFromItsMalloc) {
  const Story story;
  const auto cut = stack_of("mmap@m", unwind::StackEnd::kNoUnwindInfo);
  const Attribution who = attribute(cut.get(), story.process);
  EXPECT_EQ(who.cause, Cause::kUnknown);
  EXPECT_EQ(who.unknown_reason, "stack cut short");
}

TEST(AttributionOfALoaderTest, ItMayBeTheProgramThatIsRun) {
  Story story(true);
  story.process.executable = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
  const model::Event maps = story.mmap(range_of(0x7000'0000, 0x1000), kLoaderMaps);
  EXPECT_EQ(maps.cause, Cause::kLoader) << model::cause_name(maps.cause);
  EXPECT_FALSE(maps.origin_frame);
  const model::Event heap = story.brk(0, "brk@c malloc@c work@x main@x __libc_start_main@c");
  EXPECT_EQ(heap.cause, Cause::kMalloc);
  EXPECT_EQ(heap.origin_frame, 2u);
}

TEST(AttributionOfStaticProgramsTest, LibcIsKnownByNameOrReservedName) {
  Story story(true);
  const auto event = story.brk(0,
                               "brk@p sbrk@p sysmalloc@p malloc@p __unheard_of@p work@p main@p "
                               "__libc_start_call_main@p __libc_start_main@p _start@p");
  EXPECT_EQ(event.cause, Cause::kMalloc);
  EXPECT_EQ(event.origin_frame, 5u);
  EXPECT_EQ(event.phase, model::Phase::kProgram);
}

TEST(AttributionOfStaticProgramsTest, StartUpIsLibcs) {
  Story story(true);
  const auto tls =
      story.brk(0, "brk@p _dl_early_allocate@p __libc_setup_tls@p __libc_start_main@p _start@p");
  EXPECT_EQ(tls.cause, Cause::kLibcStartup);
  const auto relro =
      story.mprotect(range_of(0x1000, 0x1000), 1,
                     "mprotect@p _dl_protect_relro@p _dl_non_dynamic_init@p __libc_start_main@p");
  EXPECT_EQ(relro.cause, Cause::kLibcStartup);
  const auto own_malloc = story.brk(
      0, "brk@p malloc@p _dl_get_origin@p _dl_non_dynamic_init@p __libc_start_main@p _start@p");
  EXPECT_EQ(own_malloc.cause, Cause::kMalloc);
  EXPECT_EQ(own_malloc.cause_detail, "libc start-up");
}

TEST(AttributionOfStaticProgramsTest, WithoutSymbolsNothingIsClaimed) {
  Story story(true);
  const auto event = story.brk(0, "?@p ?@p ?@p");
  EXPECT_EQ(event.cause, Cause::kUnknown);
  EXPECT_EQ(event.cause_detail, "a static program without symbols");
}

TEST(AttributionOfRuntimesTest, AnExecutableMayNameItsRuntime) {
  Story story;
  story.process.runtime = "Go runtime";
  EXPECT_EQ(story.mmap(range_of(0x1000, 0x1000), "?@p ?@p").cause_detail, "Go runtime");
  EXPECT_EQ(story.mmap(range_of(0x1000, 0x1000), "mmap@c ?@p ?@p").cause, Cause::kRuntime);
  EXPECT_EQ(story.brk(0, "brk@c malloc@c ?@p").cause, Cause::kMalloc);
}

TEST(AttributionOfStacksCutShortTest, SaysWhyItIsUnknown) {
  const auto process = make_process();
  const auto cut = stack_of("mmap@c ?@c", unwind::StackEnd::kNoUnwindInfo);
  EXPECT_EQ(attribute(cut.get(), process).cause, Cause::kUnknown);
  EXPECT_EQ(attribute(cut.get(), process).unknown_reason, "stack cut short");
  EXPECT_EQ(attribute(nullptr, process).unknown_reason, "no stack");
}

TEST(AttributionOfStacksCutShortTest, WhatDecidesBeforeTheCutStands) {
  const auto cut = stack_of("brk@c sbrk@c malloc@c", unwind::StackEnd::kUnreadable);
  EXPECT_EQ(attribute(cut.get(), make_process()).cause, Cause::kMalloc);
}

}  // namespace
}  // namespace mini::explain
