// A job under trace is a job: it stops, continues, is terminated and dies as it would without.
#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace_run.h"
#include "tracer_process.h"

namespace mini::sources {
namespace {

constexpr std::string_view kClean = "detached=0 let_go=0 differences=0 verified=true";

class Job : public testing::Test {
 protected:
  Channel input_;
  Channel output_;
};

TEST_F(Job, TheTargetDiesWithATracerThatIsKilled) {
  TracerProcess tracer(verified({target("steady")}), input_, output_);
  EXPECT_EQ(output_.read_line(), "alive 0");
  const pid_t pid = tracer.target_pid();
  ::kill(tracer.pid(), SIGKILL);
  EXPECT_EQ(tracer.wait_end(), 128 + SIGKILL);
  EXPECT_TRUE(output_.at_end());  // nobody holds the other end: it is dead
  EXPECT_NE(pid, 0);
}

// The program stops itself as Ctrl-Z would: the shell must see its child, the tracer, stop.
TEST_F(Job, AStopOfTheTargetStopsTheTracerToo) {
  TracerProcess tracer(verified({target("stops"), std::to_string(SIGTSTP)}), input_, output_);
  EXPECT_EQ(output_.read_line(), "before");
  EXPECT_EQ(tracer.wait_stop(), SIGTSTP);
  EXPECT_EQ(wait_for_state(tracer.target_pid(), "tT"), 't');
  ::kill(-tracer.pid(), SIGCONT);
  EXPECT_EQ(output_.read_line(), "after");
  EXPECT_EQ(tracer.wait_end(), 3);
  EXPECT_EQ(tracer.report(), kClean);
}

TEST_F(Job, AStopOfTheWholeGroupIsOneStop) {
  TracerProcess tracer(verified({target("steady")}), input_, output_);
  EXPECT_EQ(output_.read_line(), "alive 0");
  for (int i = 1; i <= 3; ++i) {
    ::kill(-tracer.pid(), SIGTSTP);
    EXPECT_EQ(tracer.wait_stop(), SIGTSTP);
    ::kill(-tracer.pid(), SIGCONT);
    input_.write("x");
    EXPECT_EQ(output_.read_line(), "alive " + std::to_string(i));
  }
  input_.close_write();
  EXPECT_EQ(tracer.wait_end(), 6);
}

TEST_F(Job, AStopFromElsewhereIsEndedFromElsewhere) {
  TracerProcess tracer(verified({target("steady")}), input_, output_);
  EXPECT_EQ(output_.read_line(), "alive 0");
  const pid_t pid = tracer.target_pid();
  ::kill(pid, SIGSTOP);
  // 't' is any stop under trace; only a group stop stays, and then the tracer sleeps.
  EXPECT_EQ(wait_for_state(pid, "tT"), 't');
  ::kill(pid, SIGCONT);
  input_.write("x");
  EXPECT_EQ(output_.read_line(), "alive 1");
  input_.close_write();
  EXPECT_EQ(tracer.wait_end(), 6);
}

TEST_F(Job, TerminationIsPassedOn) {
  const std::string script = "trap 'exit 7' TERM; echo ready; while :; do read x; done";
  TracerProcess tracer(verified({"sh", "-c", script}), input_, output_);
  EXPECT_EQ(output_.read_line(), "ready");
  ::kill(tracer.pid(), SIGTERM);
  EXPECT_EQ(tracer.wait_end(), 7);
}

TEST_F(Job, WhatAProcessSendsIsPassedOn) {
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    Channel input;
    Channel output;
    TracerProcess tracer(verified({target("steady")}), input, output);
    EXPECT_EQ(output.read_line(), "alive 0");
    ::kill(tracer.pid(), signal);
    EXPECT_EQ(tracer.wait_end(), 128 + signal);
  }
}

TEST_F(Job, ATargetKilledAtAnyMomentEndsTheTrace) {
  for (int i = 0; i < 20; ++i) {
    Channel input;
    Channel output;
    TracerProcess tracer(verified({target("threads"), "100000"}), input, output);
    ::kill(tracer.target_pid(), SIGKILL);
    EXPECT_EQ(tracer.wait_end(), 128 + SIGKILL);
  }
}

}  // namespace
}  // namespace mini::sources
