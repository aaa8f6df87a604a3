// Joining a running process, and leaving it as it was.
#include "sources/attach.h"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "trace_run.h"
#include "tracer_process.h"

namespace mini::sources {
namespace {

using testing::HasSubstr;

class Attached : public testing::Test {
 protected:
  void SetUp() override {
    pid_ = start_program({target("steady")}, input_, output_);
    ASSERT_EQ(output_.read_line(), "alive 0");
  }
  void TearDown() override {
    if (pid_ != 0) ::kill(pid_, SIGKILL);
    if (pid_ != 0) ::waitpid(pid_, nullptr, 0);
  }
  TraceOptions options() const {
    TraceOptions options;
    options.attach_pid = pid_;
    options.verify_every = 1;
    return options;
  }
  void expect_alive(int count) {
    input_.write("x");
    EXPECT_EQ(output_.read_line(), "alive " + std::to_string(count));
  }
  void expect_normal_end() {
    EXPECT_EQ(kernel::read_status(pid_)->tracer, 0);
    input_.close_write();
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 6);
    pid_ = 0;
  }

  Channel input_;
  Channel output_;
  Channel none_;
  pid_t pid_ = 0;
};

TEST_F(Attached, LeavesARunningProcessRunning) {
  TracerProcess tracer(options(), none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  tracer.wait_busy();
  expect_alive(1);
  ::kill(tracer.pid(), SIGINT);
  EXPECT_EQ(tracer.wait_end(), 0);
  EXPECT_EQ(tracer.report(), "detached=1 let_go=1 differences=0 verified=true");
  expect_alive(2);
  expect_normal_end();
}

TEST_F(Attached, AgainAndAgain) {
  for (int i = 1; i <= 10; ++i) {
    TracerProcess tracer(options(), none_, none_);
    EXPECT_EQ(tracer.target_pid(), pid_);
    ::kill(tracer.pid(), SIGTERM);
    EXPECT_EQ(tracer.wait_end(), 0);
    EXPECT_THAT(tracer.report(), HasSubstr("detached=1 let_go=1 differences=0"));
    expect_alive(i);
  }
  expect_normal_end();
}

TEST_F(Attached, AStoppedProcessStaysStopped) {
  ::kill(pid_, SIGSTOP);
  EXPECT_EQ(wait_for_state(pid_, "T"), 'T');
  TracerProcess tracer(options(), none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  ::kill(tracer.pid(), SIGINT);
  EXPECT_EQ(tracer.wait_end(), 0);
  // Let go, it may run for a moment, on its way back into its stop.
  EXPECT_EQ(wait_for_state(pid_, "T"), 'T');
  ::kill(pid_, SIGCONT);
  expect_alive(1);
  expect_normal_end();
}

TEST_F(Attached, GoesOnWhenTheTracerIsKilled) {
  TracerProcess tracer(options(), none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  ::kill(tracer.pid(), SIGKILL);
  EXPECT_EQ(tracer.wait_end(), 128 + SIGKILL);
  expect_alive(1);
  expect_normal_end();
}

TEST_F(Attached, EndsWithTheProcess) {
  TracerProcess tracer(options(), none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  tracer.wait_busy();  // an end that came at once would leave nothing to verify
  input_.close_write();
  EXPECT_EQ(tracer.wait_end(), 6);
  EXPECT_EQ(tracer.report(), "detached=0 let_go=0 differences=0 verified=true");
}

TEST_F(Attached, AThreadsIdMeansItsProcess) {
  pid_t other = 0;
  for (const pid_t tid : kernel::read_thread_ids(pid_)) other = tid != pid_ ? tid : other;
  ASSERT_NE(other, 0);
  TraceOptions with_thread = options();
  with_thread.attach_pid = other;
  TracerProcess tracer(with_thread, none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  ::kill(tracer.pid(), SIGINT);
  EXPECT_EQ(tracer.wait_end(), 0);
  expect_alive(1);
}

std::string refusal(pid_t pid) {
  TraceOptions options;
  options.attach_pid = pid;
  Recorder recorder;
  const auto outcome = run_trace(options, recorder);
  return outcome ? "attached" : outcome.error().message;
}

TEST_F(Attached, AProcessHasOneTracer) {
  TracerProcess tracer(options(), none_, none_);
  EXPECT_EQ(tracer.target_pid(), pid_);
  EXPECT_THAT(refusal(pid_),
              HasSubstr("already traced by process " + std::to_string(tracer.pid())));
}

TEST_F(Attached, AnotherUsersProcessIsRefusedWithAdvice) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  Channel answer;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
    answer.write(refusal(pid_));
    ::_exit(0);
  }
  answer.close_write();
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(answer.read_line(),
              testing::AllOf(HasSubstr("Operation not permitted"), HasSubstr("belongs to user 0"),
                             HasSubstr("CAP_SYS_PTRACE")));
}

TEST(AttachRefusals, NoSuchProcess) {
  EXPECT_EQ(refusal(0x3fff'ffff), "no process has the id 1073741823");
}

TEST(AttachRefusals, Ourselves) {
  EXPECT_THAT(refusal(::getpid()), HasSubstr("heapspy itself"));
}

TEST(AttachRefusals, AZombie) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  wait_for_state(pid, "Z");
  EXPECT_THAT(refusal(pid), HasSubstr("zombie"));
  ::waitpid(pid, nullptr, 0);
}

TEST(AttachRefusals, OneWhoseMainThreadHasEnded) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);
  }
  wait_for_state(pid, "Z");
  EXPECT_THAT(refusal(pid), HasSubstr("main thread"));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST(AttachRefusals, AKernelThread) {
  const auto status = kernel::read_status(2);
  if (!status || !status->kernel_thread) GTEST_SKIP() << "no kernel thread in sight";
  EXPECT_THAT(refusal(2), HasSubstr("kernel thread"));
}

}  // namespace
}  // namespace mini::sources
