// heapspy as a whole: what its commands have in common.
#include "cli/app.h"

#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "cli/diff_arguments.h"
#include "cli/help.h"
#include "cli/inspect_arguments.h"
#include "cli/lab_arguments.h"
#include "cli/record_arguments.h"
#include "cli/report_arguments.h"
#include "cli/run_arguments.h"
#include "cli/trace_arguments.h"
#include "recording/writer.h"
#include "support/sanitizer.h"
#include "support/temporary_folder.h"

namespace mini::cli {
namespace {

/// A recording whose frames take a report a hundred MiB.
void write_recording(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  auto writer = recording::Writer::create(fd, {});
  ASSERT_TRUE(writer);
  for (std::uint64_t i = 1; i <= 1'000'000; ++i) {
    (*writer)->frame({.module = 1, .address = i * i});
  }
  ASSERT_TRUE((*writer)->finish({}));
}

std::uint64_t address_space_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(App, MemoryThatIsExhaustedIsAnErrorOfOneLine) {
  if (test::kHasSanitizersMalloc) GTEST_SKIP() << "a sanitizer's malloc ends the program instead";
  const test::TemporaryFolder folder;
  const std::string file = folder / "frames.heapspy";
  write_recording(file);
  const char* const words[] = {"heapspy", "report", "-o", "/dev/null", file.c_str()};

  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  rlimit little = before;
  little.rlim_cur = address_space_bytes() + (std::uint64_t{16} << 20U);
  testing::internal::CaptureStderr();
  setrlimit(RLIMIT_AS, &little);
  const int status = run(std::size(words), words);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "heapspy report: memory is exhausted\n");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(run(std::size(words), words), 0);
}

/// What heapspy says of words that it refuses.
std::string refusal(std::vector<const char*> words) {
  words.insert(words.begin(), "heapspy");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(static_cast<int>(words.size()), words.data()), 2);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  return testing::internal::GetCapturedStderr();
}

TEST(App, HelpForWhatIsNoCommandSaysWhereTheyAre) {
  for (const char* help : {"help", "-h", "--help"}) {
    EXPECT_EQ(refusal({help, "nope"}), "heapspy help: no command 'nope': 'heapspy help' has all\n");
    EXPECT_EQ(refusal({help, "reprot"}),
              "heapspy help: no command 'reprot': did you mean 'report'? 'heapspy help' has all\n");
  }
}

TEST(App, WhatIsNoCommandIsAProgramOrASlip) {
  EXPECT_EQ(refusal({"ls"}),
            "heapspy: no command 'ls': type 'heapspy trace ls' to trace it, or 'heapspy help'\n");
  EXPECT_EQ(refusal({"trase", "ls"}),
            "heapspy: no command 'trase': did you mean 'heapspy trace'? See 'heapspy help'\n");
  EXPECT_EQ(refusal({""}), "heapspy: no command: type 'heapspy trace ls' or 'heapspy help'\n");
}

TEST(App, WordsBehindHelpAndVersionAreRefused) {
  EXPECT_EQ(refusal({"help", "trace", "ls"}),
            "heapspy help: one command at a time: leave out 'ls'\n");
  for (const char* version : {"-V", "--version"}) {
    EXPECT_EQ(refusal({version, "ls"}), "heapspy: --version stands alone: leave out 'ls'\n");
  }
}

TEST(App, HowTextLooksMayBeSaidOfWhatIsNoText) {
  using Words = std::vector<std::string>;
  EXPECT_TRUE(parse_report_arguments(Words{"--json", "--color=never", "--width=80", "f"}));
  EXPECT_TRUE(parse_report_arguments(Words{"--export=pprof", "--color=never", "--width=80", "f"}));
  EXPECT_TRUE(parse_diff_arguments(Words{"--json", "--color=never", "--width=80", "f", "g"}));
  EXPECT_TRUE(parse_inspect_arguments(Words{"--json", "--color=never", "--width=80", "1"}));
  EXPECT_TRUE(parse_trace_arguments(Words{"-q", "--json=-", "--color=never", "--width=80", "ls"}));
  EXPECT_TRUE(parse_lab_arguments(Words{"--json", "--color=never", "--width=80", "0.1"}));
}

TEST(App, EachHelpFitsATerminal) {
  for (const std::string& help : {main_help(), trace_help(), record_help(), report_help(),
                                  diff_help(), inspect_help(), run_help(), lab_help()}) {
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

}  // namespace
}  // namespace mini::cli
