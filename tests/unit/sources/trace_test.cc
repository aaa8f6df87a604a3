// Real programs under trace: they end as they would without, and the model of each process equals
// the kernel's list of mappings after every single event.
#include "sources/trace.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/wait.h>

#include "support/temporary_folder.h"
#include "trace_run.h"

namespace mini::sources {
namespace {

using model::EventKind;
using testing::IsEmpty;

class Traced : public testing::TestWithParam<bool> {
 protected:
  static TraceRun run(const std::vector<std::string>& command, std::uint64_t verify_every = 1) {
    TraceOptions options = verified(command);
    options.verify_every = verify_every;
    options.use_seccomp = GetParam();
    return run_traced(options);
  }

  // Ends as without trace, no difference, nothing lost, no child of ours left.
  static TraceRun check(const std::vector<std::string>& command, std::uint64_t verify_every = 1) {
    const PlainRun plain = run_plain(command);
    TraceRun traced = run(command, verify_every);
    EXPECT_TRUE(traced.outcome) << (traced.outcome ? "" : traced.outcome.error().message);
    if (!traced.outcome) return traced;
    EXPECT_EQ(traced.outcome->exit_status, plain.exit_status);
    EXPECT_EQ(traced.output, plain.output);
    EXPECT_THAT(traced.recorder.differences, IsEmpty());
    EXPECT_GT(traced.outcome->verified_count, 0U);
    EXPECT_EQ(traced.outcome->lost_count, 0U);
    EXPECT_EQ(traced.outcome->events_count, traced.recorder.events_count);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    return traced;
  }
};

TEST_P(Traced, Ls) {
  const TraceRun traced = check({"ls", "/etc"});
  const auto& events = traced.recorder.events;
  ASSERT_GT(events.size(), 10U);
  EXPECT_EQ(events.front().kind, EventKind::kExec);
  EXPECT_EQ(events.back().kind, EventKind::kProcessExit);
  std::uint64_t sequence = 0;
  std::uint64_t time_ns = 0;
  for (const model::Event& event : events) {
    EXPECT_EQ(event.sequence, ++sequence);
    EXPECT_GE(event.time_ns, time_ns);
    time_ns = event.time_ns;
  }
}

TEST_P(Traced, EventsSayWhatAnExecHasMade) {
  const TraceRun traced = run({"/bin/sh", "-c", "exit 0"});
  const model::Event& exec = traced.recorder.events.at(0);
  EXPECT_EQ(exec.syscall, "execve");
  ASSERT_EQ(exec.arguments.size(), 3U);
  EXPECT_EQ(exec.arguments[0].text, "/bin/sh");
  EXPECT_EQ(exec.arguments[1].text, "[\"/bin/sh\", \"-c\", \"exit 0\"]");
  EXPECT_EQ(exec.note, std::filesystem::canonical("/bin/sh"));
  EXPECT_GT(exec.mapped_bytes, Bytes{0});
  ASSERT_TRUE(exec.break_after);
}

TEST_P(Traced, Python) {
  check({"python3", "-c", "import json; print(json.dumps([1] * 10))"}, 10);
}

TEST_P(Traced, ACompilerAndItsChildren) {
  const test::TemporaryFolder folder;
  const std::string source = folder / "traced.cc";
  std::ofstream(source) << "#include <vector>\nint main() { return std::vector<int>(3).size(); }\n";
  const TraceRun traced = check({"g++", "-c", source, "-o", "/dev/null"}, 10);
  EXPECT_GE(traced.recorder.count(EventKind::kProcessStart), 1U);
  EXPECT_GE(traced.recorder.count(EventKind::kExec), 2U);
}

TEST_P(Traced, EveryWayToChangeAnAddressSpace) {
  const TraceRun traced = check({target("mappings")});
  EXPECT_EQ(traced.outcome->exit_status, 0);
  EXPECT_GT(traced.recorder.count("mremap"), 5U);
}

TEST_P(Traced, ThreadsThatMapAtTheSameTime) {
  const TraceRun traced = check({target("threads"), "20"}, 7);
  EXPECT_EQ(traced.recorder.count(EventKind::kThreadExit), 64U);
}

TEST_P(Traced, TwoHundredChildren) {
  const TraceRun traced = check({target("forks")});
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessStart), 200U);
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessExit), 201U);
}

TEST_P(Traced, EachChildIsBornOnceAndDiesOnceWhileThreadsComeAndGo) {
  const TraceRun traced = check({target("births")}, 20);
  std::map<pid_t, std::string> lives;
  for (const model::Event& event : traced.recorder.events) {
    if (event.kind == EventKind::kProcessStart) lives[event.pid] += "born ";
    if (event.kind == EventKind::kProcessExit) lives[event.pid] += "dead ";
  }
  EXPECT_EQ(lives.size(), 401U);
  lives.erase(traced.recorder.events.front().pid);  // was ours to start
  for (const auto& [pid, life] : lives) EXPECT_EQ(life, "born dead ") << pid;
}

TEST_P(Traced, ChildrenInTheirParentsMemory) {
  const TraceRun traced = check({target("shared_child")});
  std::vector<std::string> starts;
  for (const model::Event& event : traced.recorder.events) {
    if (event.kind == EventKind::kProcessStart) starts.push_back(event.note);
  }
  EXPECT_THAT(starts, testing::ElementsAre("vfork", "clone", "fork"));
}

TEST_P(Traced, ExecOfAnotherThreadThanTheFirst) {
  const TraceRun traced = check({target("exec_thread")}, 5);
  EXPECT_EQ(traced.outcome->exit_status, 5);
  EXPECT_EQ(traced.recorder.count(EventKind::kExec), 2U);
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessExit), 1U);
}

TEST_P(Traced, ExecOfItself) {
  const TraceRun traced = check({target("self_exec"), "3"});
  EXPECT_EQ(traced.outcome->exit_status, 9);
  EXPECT_EQ(traced.recorder.count(EventKind::kExec), 4U);
}

TEST_P(Traced, TrapsOfTheProgramsOwn) {
  const TraceRun traced = check({target("trap")});
  EXPECT_THAT(traced.output, testing::HasSubstr("2 code -1 value 42"));
}

TEST_P(Traced, KilledBySignals) {
  EXPECT_EQ(check({"sh", "-c", "kill -KILL $$"}).outcome->exit_status, 128 + SIGKILL);
  EXPECT_EQ(check({"sh", "-c", "kill -TERM $$"}).outcome->exit_status, 128 + SIGTERM);
}

TEST_P(Traced, AChildThatOutlivesItsParent) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "outlived";
  const TraceRun traced = run({target("outlive"), path});
  ASSERT_TRUE(traced.outcome);
  EXPECT_EQ(traced.outcome->exit_status, 2);
  std::string word;
  std::ifstream(path) >> word;
  EXPECT_EQ(word, "late");
  EXPECT_THAT(traced.recorder.differences, IsEmpty());
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessExit), 2U);
}

// Their calls must not fail either, though the filter is theirs too.
TEST_P(Traced, ChildrenThatAreNotFollowedRunUnharmed) {
  TraceOptions options = verified({target("forks")});
  options.use_seccomp = GetParam();
  options.follow = false;
  const TraceRun traced = run_traced(options);
  ASSERT_TRUE(traced.outcome);
  EXPECT_EQ(traced.outcome->exit_status, 0);
  EXPECT_THAT(traced.recorder.differences, IsEmpty());
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessStart), 0U);
  EXPECT_EQ(traced.recorder.count(EventKind::kProcessExit), 1U);
}

TEST_P(Traced, ManyCalls) {
  TraceOptions options = verified({target("many"), "20000"});
  options.use_seccomp = GetParam();
  options.stacks = false;
  options.verify_every = 1000;
  const TraceRun traced = run_traced(options, false);
  ASSERT_TRUE(traced.outcome);
  EXPECT_EQ(traced.outcome->exit_status, 0);
  EXPECT_GT(traced.recorder.events_count, 40'000U);
  EXPECT_THAT(traced.recorder.differences, IsEmpty());
}

TEST_P(Traced, ACallThatWaitsForAnotherThreadsCall) {
  const TraceRun traced = run({target("held_up")});
  ASSERT_TRUE(traced.outcome);
  if (traced.outcome->exit_status == 77) GTEST_SKIP() << "no userfaultfd here";
  EXPECT_EQ(traced.outcome->exit_status, 0);
  EXPECT_THAT(traced.recorder.differences, IsEmpty());
}

TEST_P(Traced, StacksOfEveryCall) {
  const TraceRun traced = run({"ls", "/"});
  for (const model::Event& event : traced.recorder.events) {
    if (event.kind != EventKind::kSystemCall) continue;
    ASSERT_NE(event.stack, nullptr);
    EXPECT_FALSE(event.stack->frames.empty());
  }
  TraceOptions options = verified({"ls", "/"});
  options.stacks = false;
  for (const model::Event& event : run_traced(options).recorder.events) {
    EXPECT_EQ(event.stack, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, Traced, testing::Bool(),
                         [](const auto& instance) { return instance.param ? "seccomp" : "plain"; });

}  // namespace
}  // namespace mini::sources
