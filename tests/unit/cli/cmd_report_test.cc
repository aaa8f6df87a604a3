// `heapspy report` from end to end: a recording written to a file, and what the command makes of
// it.
#include "cli/cmd_report.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "recording/writer.h"
#include "support/temporary_folder.h"

namespace mini::cli {
namespace {

using Words = std::vector<std::string>;
using recording::Allocation;
using recording::Free;

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// main calls load, which keeps a block, and parse, which frees each of its blocks at once.
void write_events(recording::Writer& writer) {
  const auto module =
      writer.define_module({.path = "/opt/program", .build_id = "", .load_bias = {}});
  const auto thread = writer.define_thread({.tid = 4711, .name = "program"});
  const auto frame = [&](std::uint64_t address, const char* function, std::uint32_t line) {
    const auto number = writer.frame({.module = module, .address = address});
    const recording::SourceFrame source{.function = function, .file = "/src/x.cc", .line = line};
    writer.define_source(number, std::span(&source, 1));
    return number;
  };
  const auto main = writer.stack(0, frame(0x100, "main", 5));
  const auto load = writer.stack(main, frame(0x200, "load", 17));
  const auto parse = writer.stack(main, frame(0x300, "parse", 88));
  writer.add(Allocation{.time_ns = 1000,
                        .thread = thread,
                        .address = Address{0x9000},
                        .requested_bytes = 5000,
                        .stack = load});
  for (std::uint64_t i = 0; i < 200; ++i) {
    writer.add(Allocation{.time_ns = 2000 + 2 * i,
                          .thread = thread,
                          .address = Address{0xa000},
                          .requested_bytes = 24,
                          .stack = parse});
    writer.add(Free{.time_ns = 2001 + 2 * i, .thread = thread, .address = Address{0xa000}});
  }
}

class ReportCommandTest : public testing::Test {
 protected:
  ReportCommandTest() {
    const int fd = open(recording().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    recording::ProcessFacts process;
    process.pid = 4711;
    process.command = {"./program", "-x"};
    process.executable = "/opt/program";
    auto writer = recording::Writer::create(fd, process);
    EXPECT_TRUE(writer.has_value());
    write_events(**writer);
    recording::Ending ending;
    ending.time_ns = 5000;
    ending.kind = recording::Ending::Kind::kExited;
    EXPECT_TRUE((*writer)->finish(ending).has_value());
  }

  std::string recording() const { return folder_ / "program.heapspy"; }
  std::string output() const { return folder_ / "out"; }

  /// Runs the command with its output into a file; the exit status.
  int run(std::vector<std::string> words, const std::string& file) const {
    words.insert(words.end(), {"-o", output(), "--color=never", "--width", "80", file});
    return run_report_command(words);
  }
  std::string said(const std::vector<std::string>& words) const {
    EXPECT_EQ(run(words, recording()), 0);
    return contents(output());
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(ReportCommandTest, SaysWhereTheMemoryWent) {
  const std::string text = said({});
  EXPECT_NE(text.find("program (4711), exit status 0"), std::string::npos) << text;
  EXPECT_NE(text.find("4.9 KiB in 2 blocks, at 2 us"), std::string::npos) << text;
  EXPECT_NE(text.find("parse at x.cc:88"), std::string::npos) << text;
  EXPECT_NE(text.find("of all allocations are freed at once in parse at x.cc:88"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("4.9 KiB in 1 block from load at x.cc:17 were never freed"),
            std::string::npos)
      << text;
}

TEST_F(ReportCommandTest, AMeasureChoosesItsTable) {
  const std::string text = said({"--measure", "leaked"});
  EXPECT_NE(text.find("Findings"), std::string::npos) << text;
  EXPECT_NE(text.find("By never freed"), std::string::npos) << text;
  for (const char* other : {"By peak live", "By calls", "By size", "By thread"}) {
    EXPECT_EQ(text.find(other), std::string::npos) << text;
  }
  EXPECT_NE(said({"--measure", "temporary", "--focus", "load"}).find("No stack has any."),
            std::string::npos);
}

TEST_F(ReportCommandTest, PrintsOneJsonObject) {
  const std::string text = said({"--json"});
  EXPECT_TRUE(text.starts_with("{\"type\":\"report\",\"schema\":1")) << text;
  EXPECT_NE(text.find("\"allocations\":201,\"frees\":200,\"allocated_bytes\":9800"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"leaks\":[{\"bytes\":5000,\"count\":1,"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST_F(ReportCommandTest, FoldsStacks) {
  EXPECT_EQ(said({"--export", "folded"}), "main;load 5000\nmain;parse 24\n");
  EXPECT_EQ(said({"--export", "folded", "--measure", "calls"}), "main;load 1\nmain;parse 200\n");
}

TEST_F(ReportCommandTest, FocusChoosesStacks) {
  EXPECT_EQ(said({"--export", "folded", "--focus", "^pa"}), "main;parse 24\n");
  EXPECT_NE(said({"--focus", "x\\.cc$"}).find("2 stacks, 100.0% of the peak"), std::string::npos);
}

TEST_F(ReportCommandTest, LooksAtAPartOfTheTime) {
  EXPECT_EQ(said({"--export", "folded", "--at", "1500ns"}), "main;load 5000\n");
  EXPECT_EQ(said({"--export", "folded", "--between", "1500ns", "1s"}), "main;parse 24\n");
}

TEST_F(ReportCommandTest, SaysWhatPartOfTheTimeItIsOf) {
  EXPECT_NE(said({"--at", "1500ns"}).find("as of 1.5 us: what comes later does not count"),
            std::string::npos);
  EXPECT_NE(contents(output()).find("live then        4.9 KiB in 1 block: not freed by then"),
            std::string::npos);
  EXPECT_NE(said({"--at", "1s"}).find("5 us: all of it, since the recording ends before 1.0 s"),
            std::string::npos);
  EXPECT_NE(contents(output()).find("live at the end  4.9 KiB in 1 block: never freed"),
            std::string::npos);
  EXPECT_NE(said({"--between", "1500ns", "3us"}).find("from 1.5 us to 3 us; blocks from before"),
            std::string::npos);
  EXPECT_NE(said({"--between", "1500ns", "1s"}).find("from 1.5 us to the end, at 5 us; blocks"),
            std::string::npos);
  EXPECT_NE(said({"--at", "0"}).find("allocated        nothing  "), std::string::npos);
}

TEST_F(ReportCommandTest, APartBehindTheEndIsRefused) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--between", "6us", "1s"}, recording()), 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "heapspy report: --between: the recording ends at 5 us, before 6 us: type earlier "
            "times\n");
}

TEST_F(ReportCommandTest, AFocusThatMatchesNothingSaysWhatToDo) {
  const std::string text = said({"--focus", "nobody"});
  EXPECT_NE(text.find("No stack matches 'nobody'"), std::string::npos) << text;
  EXPECT_EQ(text.find("By "), std::string::npos) << text;
  testing::internal::CaptureStderr();
  EXPECT_EQ(said({"--export", "folded", "--focus", "nobody"}), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "heapspy report: the export is empty: no stack matches --focus 'nobody'\n");
}

TEST_F(ReportCommandTest, AFocusThatIsNoExpressionIsRefusedWithoutBackslashes) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--focus", "a("}, recording()), 2);
  const std::string error = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(error.starts_with("heapspy report: --focus 'a(' is no regular expression: "))
      << error;
  EXPECT_EQ(error.find('\\'), std::string::npos) << error;
}

TEST_F(ReportCommandTest, AnEmptyExportIsExplained) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(said({"--export", "folded", "--measure", "temporary", "--focus", "load"}), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "heapspy report: the export is empty: no stack has any (--measure temporary)\n");
  EXPECT_NE(said({"--tree", "--measure", "temporary", "--focus", "load"}).find("No stack has any."),
            std::string::npos);
}

TEST_F(ReportCommandTest, TheRecordingIsNeverWrittenOver) {
  const std::string before = contents(recording());
  const std::string link = recording() + ".link";
  std::filesystem::create_symlink(recording(), link);
  for (const Words& words : {Words{"-o", recording(), recording()}, Words{"-o", link, recording()},
                             Words{"--json", "-o", recording(), link},
                             Words{"--export", "sqlite", "-o", link, recording()}}) {
    EXPECT_EQ(run_report_command(words), 2);
    EXPECT_EQ(contents(recording()), before);
  }
}

TEST_F(ReportCommandTest, SuppressionsAreNeverWrittenOver) {
  const std::string file = recording() + ".supp";
  std::ofstream(file) << "leak:x.cc\n";
  EXPECT_EQ(run_report_command(Words{"--suppressions", file, "-o", file, recording()}), 2);
  EXPECT_EQ(contents(file), "leak:x.cc\n");
}

TEST_F(ReportCommandTest, FailsOnALeakIfAsked) {
  EXPECT_EQ(run({}, recording()), 0);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--fail-on-leak"}, recording()), kExitLeak);
  EXPECT_EQ(run({"--fail-on-leak=64"}, recording()), kExitLeak);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "heapspy report: 4.9 KiB in 1 block was never freed: --fail-on-leak allows none\n"
            "heapspy report: 4.9 KiB in 1 block was never freed: --fail-on-leak allows 64 B\n");
  EXPECT_EQ(run({"--fail-on-leak=4999"}, recording()), kExitLeak);
  EXPECT_EQ(run({"--fail-on-leak=5000"}, recording()), 0);
  EXPECT_EQ(run({"--fail-on-leak", "--focus", "parse"}, recording()), 0);
}

TEST_F(ReportCommandTest, FailsOnALeakOfNoBytes) {
  const std::string file = recording() + ".empty";
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  auto writer = recording::Writer::create(fd, {});
  ASSERT_TRUE(writer.has_value());
  (*writer)->add(Allocation{.time_ns = 1000, .address = Address{0x9000}});
  ASSERT_TRUE((*writer)->finish({}).has_value());
  EXPECT_EQ(run({"--fail-on-leak"}, file), kExitLeak);
  EXPECT_EQ(run({"--fail-on-leak=1"}, file), 0);
}

TEST_F(ReportCommandTest, WhereLeaksMayBeMissingThatIsSaid) {
  const std::string sample = recording() + ".sample";
  recording::ProcessFacts process;
  process.sample_bytes = 524288;
  auto writer = recording::Writer::create(
      open(sample.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), process);
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE((*writer)->finish({}).has_value());
  const std::string cut = recording() + ".cut";
  const std::string bytes = contents(recording());
  std::ofstream(cut) << bytes.substr(0, bytes.size() - 8);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--fail-on-leak"}, sample), 0);
  EXPECT_EQ(run({"--fail-on-leak=1M"}, cut), 0);
  EXPECT_EQ(run({"--fail-on-leak=1M"}, recording()), 0);
  EXPECT_EQ(run({}, sample), 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "heapspy report: the recording samples, about one block for each 512 KiB: there may be "
            "leaks that it does not tell of\n"
            "heapspy report: the recording has no ending: there may be leaks that it does not tell "
            "of\n");
}

TEST_F(ReportCommandTest, KnownLeaksAreCountedAndNotListed) {
  const std::string file = recording() + ".supp";
  const Words words = {"--suppressions", file, "--fail-on-leak"};
  std::ofstream(file) << "# known\nleak:nothing_of_this\nleak:x.cc\n";
  EXPECT_EQ(run(words, recording()), 0);
  const std::string text = contents(output());
  EXPECT_NE(text.find("4.9 KiB in 1 block of these, from 1 stack: known"), std::string::npos)
      << text;
  EXPECT_NE(text.find("matching no leak: 'nothing_of_this' (line 2)"), std::string::npos) << text;
  EXPECT_EQ(text.find("By never freed"), std::string::npos) << text;
  EXPECT_EQ(run({"--suppressions", file, "--fail-on-leak", "--json"}, recording()), 0);
  EXPECT_NE(contents(output()).find("\"leaks\":[]"), std::string::npos);

  std::ofstream(file) << "leak:nothing_of_this\n";
  EXPECT_EQ(run(words, recording()), kExitLeak);
  EXPECT_NE(contents(output()).find("nothing: no suppression matches a leak"), std::string::npos);
}

TEST_F(ReportCommandTest, AWrongSuppressionFileIsAnError) {
  const std::string file = recording() + ".supp";
  EXPECT_EQ(run({"--suppressions", file}, recording()), 1);
  std::ofstream(file) << "leak:\n";
  EXPECT_EQ(run({"--suppressions", file}, recording()), 1);
  EXPECT_EQ(run({"--suppressions", "/"}, recording()), 1);
}

TEST_F(ReportCommandTest, ACutRecordingIsReportedUpToThere) {
  std::string bytes = contents(recording());
  std::ofstream(recording()) << bytes.substr(0, bytes.size() - 8);
  const std::string text = said({});
  EXPECT_NE(text.find("The recording has no ending"), std::string::npos) << text;
  EXPECT_NE(text.find("parse at x.cc:88"), std::string::npos) << text;
}

TEST_F(ReportCommandTest, AForeignOrMissingFileIsAnError) {
  std::ofstream(recording()) << "something else that is long enough to be looked at";
  EXPECT_EQ(run({}, recording()), 1);
  EXPECT_EQ(run({}, recording() + ".missing"), 1);
  EXPECT_EQ(run({}, "/"), 1);
}

TEST_F(ReportCommandTest, WrongUsageIsSaid) {
  EXPECT_EQ(run({"--focus", "("}, recording()), 2);
  EXPECT_EQ(run({"--no-such"}, recording()), 2);
  EXPECT_EQ(run_report_command({}), 2);
}

TEST_F(ReportCommandTest, AnOutputThatCannotBeOpenedIsAnError) {
  const std::vector<std::string> words = {"-o", "/nowhere/out", recording()};
  EXPECT_EQ(run_report_command(words), 1);
}

}  // namespace
}  // namespace mini::cli
