#include "cli/trace_story.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace mini::cli {
namespace {

using model::Event;
using model::EventKind;

/// Keeps what a view is told.
class Listener final : public views::TraceView {
 public:
  void on_event(const Event& event, const model::Process&, bool visible) override {
    shown.emplace_back(event.sequence, visible);
  }
  void on_notice(const std::string& line) override { notices.push_back(line); }
  void on_end(const views::TraceSummary& whole) override { summary = whole; }
  bool healthy() const override { return true; }

  std::vector<std::pair<std::uint64_t, bool>> shown;
  std::vector<std::string> notices;
  views::TraceSummary summary;
};

class TraceStoryTest : public testing::Test {
 protected:
  model::Process process(pid_t pid, std::string executable) {
    model::Process made;
    made.pid = pid;
    made.executable = std::move(executable);
    made.space = std::make_shared<model::AddressSpace>();
    return made;
  }

  void tell(model::Process& process, EventKind kind, std::string_view syscall = {},
            std::uint64_t mapped_bytes = 0x10000) {
    tell(story_, process, kind, syscall, mapped_bytes);
  }
  void tell(TraceStory& story, model::Process& process, EventKind kind,
            std::string_view syscall = {}, std::uint64_t mapped_bytes = 0x10000) {
    Event event;
    event.kind = kind;
    event.sequence = ++sequence_;
    event.time_ns = sequence_ * 10;
    event.pid = event.tid = process.pid;
    event.syscall = syscall;
    event.mapped_before = process.ledger.mapped_now;
    event.mapped_bytes = Bytes{mapped_bytes};
    model::Mapping all;
    all.range = {Address{0x1000}, Address{0x1000 + mapped_bytes}};
    *process.space = model::AddressSpace();
    process.space->map(all);
    story.on_event(event, process);
  }

  EventFilter filter_;
  Listener listener_;
  TraceStory story_{filter_, {{.view = &listener_, .name = "a test"}}};
  std::uint64_t sequence_ = 0;
};

TEST_F(TraceStoryTest, FiltersHideButTotalsCount) {
  ASSERT_TRUE(filter_.add_syscalls("munmap"));
  model::Process ls = process(1, "/bin/ls");
  tell(ls, EventKind::kExec, "execve");
  tell(ls, EventKind::kSystemCall, "mmap", 0x20000);
  tell(ls, EventKind::kSystemCall, "munmap", 0x18000);
  tell(ls, EventKind::kProcessExit, {}, 0x18000);
  story_.finish({});
  EXPECT_EQ(listener_.shown, (std::vector<std::pair<std::uint64_t, bool>>{
                                 {1, false}, {2, false}, {3, true}, {4, true}}));
  EXPECT_EQ(listener_.summary.events_count, 4U);
  EXPECT_EQ(listener_.summary.hidden_count, 2U);
  EXPECT_EQ(listener_.summary.total.calls_by_syscall.at("mmap"), 1U);
  EXPECT_EQ(listener_.summary.total.mapped_now, Bytes{0x18000});
}

TEST_F(TraceStoryTest, WhatNobodyReadsIsLeftOutAndCounted) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  views::Output output(ends[1], views::Output::Flush::kEachRecord,
                       []() -> std::uint64_t { return 0; });
  TraceStory story(filter_, {{.view = &listener_, .output = &output, .name = "a pipe"}});
  model::Process ls = process(1, "/bin/ls");
  tell(story, ls, EventKind::kExec, "execve");
  output.write(std::string(3 << 20, 'x'));
  story.on_tick();
  tell(story, ls, EventKind::kSystemCall, "mmap");
  tell(story, ls, EventKind::kSystemCall, "munmap");
  EXPECT_TRUE(listener_.notices.empty());
  std::array<char, 4096> some{};
  while (!output.takes_more()) {
    ASSERT_GT(::read(ends[0], some.data(), some.size()), 0);
    story.on_tick();
  }
  ASSERT_EQ(listener_.notices.size(), 1U);
  EXPECT_TRUE(listener_.notices[0].starts_with("2 events are left out here"));
  tell(story, ls, EventKind::kSystemCall, "mmap");
  story.finish({});
  EXPECT_EQ(listener_.shown, (std::vector<std::pair<std::uint64_t, bool>>{
                                 {1, true}, {2, false}, {3, false}, {4, true}}));
  EXPECT_EQ(listener_.summary.events_count, 4U);
  EXPECT_EQ(listener_.summary.hidden_count, 0U);
  EXPECT_EQ(listener_.summary.unread_count, 2U);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(TraceStoryTest, AProgramReplacedByExecIsAProgramOfItsOwn) {
  model::Process sh = process(7, "/bin/sh");
  tell(sh, EventKind::kExec, "execve");
  tell(sh, EventKind::kSystemCall, "mmap", 0x20000);
  sh.executable = "/bin/cat";
  tell(sh, EventKind::kExec, "execve", 0x8000);
  tell(sh, EventKind::kProcessExit, {}, 0x8000);
  story_.finish({});
  const auto& processes = listener_.summary.processes;
  ASSERT_EQ(processes.size(), 2U);
  EXPECT_EQ(processes[0].executable, "/bin/sh");
  EXPECT_EQ(processes[0].end, views::ProcessEnd::kReplaced);
  EXPECT_EQ(processes[0].ledger.mapped_now, Bytes{0x20000});
  EXPECT_EQ(processes[1].executable, "/bin/cat");
  EXPECT_EQ(listener_.summary.replaced_bytes, Bytes{0x20000});
  EXPECT_EQ(listener_.summary.total.mapped_now, Bytes{0x28000});
}

TEST_F(TraceStoryTest, AChildThatOnlyExecsIsOneProgram) {
  model::Process child = process(8, "/bin/sh");
  tell(child, EventKind::kProcessStart);
  child.executable = "/bin/cat";
  tell(child, EventKind::kExec, "execve");
  tell(child, EventKind::kProcessExit);
  story_.finish({});
  ASSERT_EQ(listener_.summary.processes.size(), 1U);
  EXPECT_EQ(listener_.summary.processes[0].executable, "/bin/cat");
}

TEST_F(TraceStoryTest, ProcessesAreInTheOrderOfTheirStart) {
  model::Process parent = process(1, "/bin/sh");
  model::Process child = process(2, "/bin/cat");
  tell(parent, EventKind::kExec, "execve");
  tell(child, EventKind::kExec, "execve");
  tell(child, EventKind::kProcessExit);
  tell(parent, EventKind::kProcessExit);
  story_.finish({});
  ASSERT_EQ(listener_.summary.processes.size(), 2U);
  EXPECT_EQ(listener_.summary.processes[0].pid, 1);
}

TEST_F(TraceStoryTest, AThousandSummariesAreKeptAndTheRestIsCounted) {
  for (pid_t pid = 1; pid <= 1200; ++pid) {
    model::Process child = process(pid, "/bin/true");
    tell(child, EventKind::kExec, "execve");
    tell(child, EventKind::kProcessExit);
  }
  story_.finish({});
  EXPECT_EQ(listener_.summary.processes.size(), 1000U);
  EXPECT_EQ(listener_.summary.further_processes_count, 200U);
  EXPECT_EQ(listener_.summary.total.calls_by_syscall.at("execve"), 1200U);
}

TEST_F(TraceStoryTest, DifferencesAreAllCountedAndTheFirstHundredKept) {
  model::Process ls = process(1, "/bin/ls");
  tell(ls, EventKind::kExec, "execve");
  for (int i = 0; i < 150; ++i) story_.on_difference(ls, "a difference");
  story_.finish({});
  EXPECT_EQ(listener_.summary.differences_count, 150U);
  ASSERT_EQ(listener_.summary.differences.size(), 100U);
  EXPECT_EQ(listener_.summary.differences[0], "process 1: a difference");
}

TEST_F(TraceStoryTest, ADetachedProcessIsLeftRunning) {
  model::Process daemon = process(5, "/usr/sbin/daemon");
  daemon.attached = true;
  tell(daemon, EventKind::kProcessStart);
  tell(daemon, EventKind::kSystemCall, "brk");
  story_.on_detach(daemon);
  story_.finish({});
  ASSERT_EQ(listener_.summary.processes.size(), 1U);
  EXPECT_EQ(listener_.summary.processes[0].end, views::ProcessEnd::kDetached);
}

}  // namespace
}  // namespace mini::cli
