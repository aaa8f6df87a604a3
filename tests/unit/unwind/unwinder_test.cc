// Real processes, unwound: the frames are those that the programs themselves say.
#include "unwind/unwinder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/syscall.h>

#include "support/temporary_folder.h"
#include "tracee.h"

namespace mini::unwind {
namespace {

const std::string kTargets = MINI_UNWIND_TARGETS "/";

struct ExpectedFrame {
  std::string function;
  std::uint64_t address = 0;
};

std::vector<ExpectedFrame> expected_frames(const std::vector<std::string>& lines) {
  std::vector<ExpectedFrame> frames;
  for (const std::string& line : lines) {
    std::istringstream in(line);
    ExpectedFrame& frame = frames.emplace_back();
    in >> frame.function >> std::hex >> frame.address;
  }
  return frames;
}

/// The frames of the program's own code, without the start-up code outside main.
std::vector<Frame> frames_in(const CallStack& stack, const std::string& module) {
  std::vector<Frame> frames;
  for (const Frame& frame : stack.frames) {
    if (frame.module.ends_with("/" + module)) frames.push_back(frame);
  }
  return frames;
}

/// The listed function that begins last at or before `pc`: whose code it must be.
std::string function_around(const std::vector<ExpectedFrame>& functions, std::uint64_t pc) {
  const ExpectedFrame* best = nullptr;
  for (const ExpectedFrame& function : functions) {
    if (function.address <= pc && (best == nullptr || best->address < function.address))
      best = &function;
  }
  return best == nullptr ? "" : best->function;
}

class ChainTest : public testing::TestWithParam<const char*> {};

TEST_P(ChainTest, IsWhatTheProgramSays) {
  const std::string name = GetParam();
  if (!std::filesystem::exists(kTargets + name)) GTEST_SKIP() << "it could not be built here";
  Tracee tracee({kTargets + name});
  ASSERT_TRUE(tracee.run_to_sigstop());
  const auto expected = expected_frames(tracee.printed_lines());
  ASSERT_EQ(expected.size(), 4U);
  const CallStackRef stack = unwind_tracee(tracee);
  EXPECT_EQ(stack->end, StackEnd::kComplete);
  // raise() and what it calls; in a static program they are in the same module.
  std::vector<Frame> frames = frames_in(*stack, name);
  while (!frames.empty() &&
         function_around(expected, frames.front().pc.value) != expected[0].function)
    frames.erase(frames.begin());
  ASSERT_GE(frames.size(), expected.size()) << testing::PrintToString(function_names(*stack));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(function_around(expected, frames[i].pc.value), expected[i].function) << i;
    if (name == "chain_stripped") {
      EXPECT_EQ(frames[i].function, "");
      EXPECT_EQ(frames[i].name_source, NameSource::kNone);
      continue;
    }
    EXPECT_EQ(frames[i].function, expected[i].function) << i;
    EXPECT_EQ(frames[i].pc.value - frames[i].function_offset, expected[i].address);
    EXPECT_EQ(frames[i].name_source, NameSource::kSymbolTable);
    if (name == "chain_frame_pointer" || name == "chain_packed") continue;  // without lines
    EXPECT_TRUE(frames[i].file.ends_with("targets/chain.c")) << frames[i].file;
    EXPECT_GT(frames[i].line, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Unwinder, ChainTest,
                         testing::Values("chain", "chain_stripped", "chain_static", "chain_not_pie",
                                         "chain_debug_frame", "chain_frame_pointer", "chain_packed",
                                         "chain_dwarf4"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Unwinder, GoesThroughSignalHandlersAndAlternateStacks) {
  Tracee tracee({kTargets + "handlers"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  const std::vector<std::string> expected = tracee.printed_lines();
  const CallStackRef stack = unwind_tracee(tracee);
  EXPECT_EQ(stack->end, StackEnd::kComplete);
  std::vector<std::string> names;
  for (const Frame& frame : frames_in(*stack, "handlers")) names.push_back(frame.function);
  ASSERT_GE(names.size(), expected.size());
  names.resize(expected.size());
  EXPECT_EQ(names, expected);
}

TEST(Unwinder, EndsWhereGoSwitchesStacks) {
  Tracee tracee({kTargets + "go_like"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  const CallStackRef stack = unwind_tracee(tracee);
  EXPECT_EQ(stack->end, StackEnd::kNoUnwindInfo);
  const std::vector<std::string> names = function_names(*stack);
  ASSERT_GE(names.size(), 2U);
  EXPECT_EQ(names[names.size() - 2], "runs_on_system_stack");
  EXPECT_EQ(names.back(), "runtime.systemstack.abi0");
}

TEST(Unwinder, StopsAtTheDepthLimit) {
  Tracee tracee({kTargets + "recursion", "10000"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  UnwinderOptions options;
  options.max_frames = 100;
  const CallStackRef cut = unwind_tracee(tracee, options);
  EXPECT_EQ(cut->end, StackEnd::kDepthLimit);
  EXPECT_EQ(std::ranges::count(cut->frames, false, &Frame::inlined), 100);
  options.max_frames = 20000;
  const CallStackRef whole = unwind_tracee(tracee, options);
  EXPECT_EQ(whole->end, StackEnd::kComplete);
  EXPECT_EQ(std::ranges::count(whole->frames, "recurse", &Frame::function), 10001);
}

TEST(Unwinder, StopsWhereTheStackBudgetEnds) {
  Tracee tracee({kTargets + "recursion", "10000"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  UnwinderOptions options;
  options.max_frames = 20000;
  options.max_stack_bytes = 8192;
  const CallStackRef stack = unwind_tracee(tracee, options);
  EXPECT_EQ(stack->end, StackEnd::kUnreadable);
  EXPECT_GT(stack->frames.size(), 10U);
}

std::uint32_t line_marked(const std::string& file, const std::string& mark) {
  std::ifstream in(std::string(MINI_UNWIND_SOURCES "/") + file);
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find("// " + mark) != std::string::npos) return number;
  }
  return 0;
}

class InlinedTest : public testing::TestWithParam<const char*> {};

TEST_P(InlinedTest, ShowsInlinedFunctionsWithTheirLines) {
  Tracee tracee({kTargets + GetParam()});
  ASSERT_TRUE(tracee.run_to_sigstop());
  const CallStackRef stack = unwind_tracee(tracee);
  const std::vector<Frame> frames = frames_in(*stack, GetParam());
  ASSERT_GE(frames.size(), 4U) << testing::PrintToString(function_names(*stack));
  EXPECT_EQ(frames[0].function, "shapes::innermost()");
  EXPECT_EQ(frames[1].function, "void shapes::middle<long>(long)");
  EXPECT_EQ(frames[2].function, "shapes::Circle::draw(int) const");
  EXPECT_EQ(frames[3].function, "main");
  EXPECT_TRUE(frames[0].inlined);
  EXPECT_TRUE(frames[1].inlined);
  EXPECT_FALSE(frames[2].inlined);
  EXPECT_EQ(frames[0].line, line_marked("inlined.cc", "LINE_INNERMOST"));
  EXPECT_EQ(frames[1].line, line_marked("inlined.cc", "LINE_MIDDLE"));
  EXPECT_EQ(frames[2].line, line_marked("inlined.cc", "LINE_DRAW"));
  EXPECT_EQ(frames[3].line, line_marked("inlined.cc", "LINE_MAIN"));
}

INSTANTIATE_TEST_SUITE_P(Unwinder, InlinedTest,
                         testing::Values("inlined", "inlined_dwarf4", "inlined_zlib",
                                         "inlined_zstd"),
                         [](const auto& test) { return std::string(test.param); });

// With parameters where the linker has a name for them too, as Clang's have.
TEST(Unwinder, InlinedFunctionsAreNamedWithTheirScopes) {
  Tracee tracee({kTargets + "scopes"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  std::vector<std::string> names;
  for (const Frame& frame : frames_in(*unwind_tracee(tracee), "scopes"))
    names.push_back(frame.function);
  ASSERT_GE(names.size(), 7U);
  using testing::HasSubstr;
  using testing::StartsWith;
  EXPECT_THAT(names[0], HasSubstr("app::(anonymous namespace)::Cache::put<long"));
  EXPECT_THAT(names[1], StartsWith("app::(anonymous namespace)::Cache::add"));
  EXPECT_THAT(names[2], testing::MatchesRegex("app::fill.*::Filler::run.*"));
  EXPECT_THAT(names[3], testing::MatchesRegex("app::fill.*::.*lambda.*::operator().*"));
  EXPECT_THAT(names[4], StartsWith("app::fill"));
  EXPECT_THAT(names[5], StartsWith("plain"));
  EXPECT_EQ(names[6], "main");
}

TEST(Unwinder, WithoutSourceLinesThereAreNoInlinedFrames) {
  Tracee tracee({kTargets + "inlined"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  UnwinderOptions options;
  options.source_lines = false;
  const CallStackRef stack = unwind_tracee(tracee, options);
  for (const Frame& frame : stack->frames) {
    EXPECT_FALSE(frame.inlined);
    EXPECT_EQ(frame.line, 0U);
  }
}

TEST(Unwinder, FollowsLibrariesAsTheyComeAndGo) {
  Tracee tracee({kTargets + "opens_plugin", kTargets + "plugin.so"});
  Unwinder unwinder(make_module_cache({}));
  const std::string root = "/proc/" + std::to_string(tracee.pid()) + "/root";
  const ProcessMemory memory(tracee.pid());
  std::vector<bool> in_plugin;
  while (tracee.run_to_sigstop()) {
    unwinder.set_modules(tracee.modules(), root);
    const CallStackRef stack = unwinder.unwind(tracee.registers(), memory);
    EXPECT_EQ(stack->end, StackEnd::kComplete);
    const std::vector<std::string> names = function_names(*stack);
    EXPECT_THAT(names, testing::Contains("callback_stops"));
    EXPECT_THAT(names, testing::Contains("main"));
    in_plugin.push_back(std::ranges::find(names, "plugin_calls") != names.end());
  }
  EXPECT_EQ(in_plugin, (std::vector<bool>{false, true, false}));
}

TEST(Unwinder, IsRightAtEveryInstructionOfALazyCall) {
  // Through the PLT, the loader's resolver and the function itself: prologues, epilogues,
  // hand-written code with expressions for its CFA.
  Tracee tracee({kTargets + "lazy_call"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  Unwinder unwinder(make_module_cache({}));
  unwinder.set_modules(tracee.modules(), "/proc/" + std::to_string(tracee.pid()) + "/root");
  const ProcessMemory memory(tracee.pid());
  std::size_t in_call = 0;
  std::size_t in_resolver = 0;
  std::size_t wrong = 0;
  while (in_call == 0 || wrong < 10) {
    if (!tracee.single_step()) break;
    const CallStackRef stack = unwinder.unwind(tracee.registers(), memory);
    const std::vector<std::string> names = function_names(*stack);
    const auto caller = std::ranges::find(names, "calls_through_plt");
    if (caller == names.end()) {
      // A step in main itself; everything below it must not lose the chain either.
      EXPECT_THAT(names, testing::Contains("main"));
      if (in_call > 0) break;
      continue;
    }
    ++in_call;
    if (std::ranges::any_of(names, [](const std::string& n) { return n.starts_with("_dl_"); }))
      ++in_resolver;
    if (stack->end != StackEnd::kComplete || std::next(caller) == names.end() ||
        *std::next(caller) != "main") {
      ++wrong;
      ADD_FAILURE() << testing::PrintToString(names);
    }
  }
  EXPECT_GT(in_call, 100U);
  EXPECT_GT(in_resolver, 100U);
}

TEST(Unwinder, NamesOfLibcWithoutItsDebugFileAreRightOrAbsent) {
  Tracee tracee({kTargets + "services"});
  UnwinderOptions plain;
  plain.use_debug_files = false;
  plain.source_lines = false;
  UnwinderOptions with_debug_files;
  with_debug_files.source_lines = false;
  Unwinder without(make_module_cache(plain));
  Unwinder with(make_module_cache(with_debug_files));
  const std::string root = "/proc/" + std::to_string(tracee.pid()) + "/root";
  const ProcessMemory memory(tracee.pid());
  std::size_t compared = 0;
  std::size_t stacks = 0;
  while (tracee.run_to_system_call(
      {SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_openat})) {
    without.set_modules(tracee.modules(), root);
    with.set_modules(tracee.modules(), root);
    const CallStackRef a = without.unwind(tracee.registers(), memory);
    const CallStackRef b = with.unwind(tracee.registers(), memory);
    EXPECT_EQ(a->end, StackEnd::kComplete);
    ASSERT_EQ(a->frames.size(), b->frames.size());
    ++stacks;
    for (std::size_t i = 0; i < a->frames.size(); ++i) {
      const Frame& frame = a->frames[i];
      const Frame& truth = b->frames[i];
      if (truth.name_source != NameSource::kDebugFile || frame.function.empty()) continue;
      ++compared;
      EXPECT_EQ(frame.function_offset, truth.function_offset)
          << frame.function << " for " << truth.function;
      if (frame.name_source == NameSource::kBuildIdTable) {
        EXPECT_EQ(frame.function, truth.function);
      }
    }
  }
  EXPECT_GT(stacks, 30U);
  if (compared == 0) GTEST_SKIP() << "libc's debug file is not installed: nothing to compare with";
}

TEST(Unwinder, EqualStacksAreOneObjectAndCostOneRead) {
  Tracee tracee({kTargets + "recursion", "12"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  Unwinder unwinder(make_module_cache({}));
  unwinder.set_modules(tracee.modules(), "/proc/" + std::to_string(tracee.pid()) + "/root");
  const ProcessMemory memory(tracee.pid());
  const CallStackRef first = unwinder.unwind(tracee.registers(), memory);
  const std::uint64_t reads_before = memory.reads_count;
  const CallStackRef second = unwinder.unwind(tracee.registers(), memory);
  EXPECT_EQ(first, second);
  EXPECT_EQ(memory.reads_count, reads_before + 1);
  EXPECT_EQ(unwinder.statistics().stacks_count, 2U);
  EXPECT_EQ(unwinder.statistics().truncated_count, 0U);
  EXPECT_EQ(unwinder.last_frame_registers().size(),
            static_cast<std::size_t>(std::ranges::count(first->frames, false, &Frame::inlined)));
  EXPECT_EQ(unwinder.last_frame_registers()[0].value, tracee.registers().value);
  EXPECT_GT(unwinder.last_stack_words().size(), 12U);
}

TEST(Unwinder, WithoutModulesAStackIsOneFrame) {
  Tracee tracee({kTargets + "recursion", "3"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  Unwinder unwinder(make_module_cache({}));
  const CallStackRef stack = unwinder.unwind(tracee.registers(), ProcessMemory(tracee.pid()));
  ASSERT_EQ(stack->frames.size(), 1U);
  EXPECT_EQ(stack->frames[0].module, "");
  EXPECT_EQ(stack->end, StackEnd::kNoUnwindInfo);
  EXPECT_EQ(unwinder.statistics().truncated_count, 1U);
}

TEST(Unwinder, AProgramThatIsDeletedStillHasItsNames) {
  const test::TemporaryFolder folder;
  const std::string copy = folder / "recursion";
  std::filesystem::copy_file(kTargets + "recursion", copy);
  Tracee tracee({copy, "3"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  std::filesystem::remove(copy);
  Unwinder unwinder(make_module_cache({}));
  unwinder.set_modules(tracee.modules(), "");
  const CallStackRef stack = unwinder.unwind(tracee.registers(), ProcessMemory(tracee.pid()));
  EXPECT_THAT(function_names(*stack), testing::Contains("main"));
}

TEST(Unwinder, LinesOfAProgramWhoseDebugInformationIsInOtherFiles) {
  for (const std::string program : {"recursion_split4", "recursion_split5"}) {
    Tracee tracee({kTargets + program, "3"});
    ASSERT_TRUE(tracee.run_to_sigstop());
    const std::vector<Frame> frames = frames_in(*unwind_tracee(tracee), program);
    ASSERT_FALSE(frames.empty());
    EXPECT_TRUE(frames.front().file.ends_with("recursion.c")) << frames.front().file;
    EXPECT_GT(frames.front().line, 0U);
    EXPECT_FALSE(frames.front().function.empty());
  }
}

TEST(Unwinder, CountsFilesItCannotUse) {
  Tracee tracee({kTargets + "recursion", "3"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  std::vector<ModuleMapping> modules = tracee.modules();
  for (ModuleMapping& module : modules) module.inode += 1;  // not the files that are mapped
  Unwinder unwinder(make_module_cache({}));
  unwinder.set_modules(modules, "");
  const CallStackRef stack = unwinder.unwind(tracee.registers(), ProcessMemory(tracee.pid()));
  EXPECT_NE(stack->end, StackEnd::kComplete);
  EXPECT_GE(unwinder.statistics().rejected_modules_count, 1U);
  EXPECT_TRUE(stack->frames[0].function.empty());
  EXPECT_FALSE(stack->frames[0].module.empty());
}

TEST(FindSymbol, FindsMallocsStateInLibc) {
  Tracee tracee({kTargets + "recursion", "3"});
  ASSERT_TRUE(tracee.run_to_sigstop());
  const std::vector<ModuleMapping> modules = tracee.modules();
  const auto libc = std::ranges::find_if(
      modules, [](const ModuleMapping& m) { return m.path.ends_with("/libc.so.6"); });
  ASSERT_NE(libc, modules.end());
  const std::string root = "/proc/" + std::to_string(tracee.pid()) + "/root";
  const auto cache = make_module_cache({});
  EXPECT_TRUE(libc->range.contains(find_symbol(*cache, *libc, root, "malloc").value_or(Address{})));
  EXPECT_FALSE(find_symbol(*cache, *libc, root, "no_such_symbol_anywhere"));
  UnwinderOptions plain;
  plain.use_debug_files = false;
  const auto arena = find_symbol(*cache, *libc, root, "main_arena");
  const auto arena_by_table = find_symbol(*make_module_cache(plain), *libc, root, "main_arena");
  if (!arena || !arena_by_table) GTEST_SKIP() << "neither debug file nor table for this glibc";
  EXPECT_EQ(arena, arena_by_table);
}

}  // namespace
}  // namespace mini::unwind
