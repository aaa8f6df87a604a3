// A stopped process stands still as a whole, and goes on as it was.
#include "sources/stopped_process.h"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "trace_run.h"
#include "tracer_process.h"

namespace mini::sources {
namespace {

/// Threads that are neither stopped by us nor at their end.
std::vector<pid_t> running_threads(pid_t pid, const StoppedProcess& stopped) {
  std::vector<pid_t> running;
  for (const pid_t tid : kernel::read_thread_ids(pid)) {
    const auto status = kernel::read_status(tid);
    const bool is_known = std::ranges::any_of(
        stopped.threads(), [tid](const auto& thread) { return thread.id == tid; });
    const bool is_stopped = is_known && status && status->state == 't';
    if (status && !status->has_ended() && !is_stopped) running.push_back(tid);
  }
  return running;
}

TEST(StoppedProcess, ThreadsThatAreStartedMeanwhileAreStoppedToo) {
  Channel input;
  Channel output;
  const pid_t pid = start_program({target("spawns")}, input, output);
  ASSERT_EQ(output.read_line(), "ready");
  for (int i = 0; i < 200; ++i) {
    auto stopped = StoppedProcess::stop(pid);
    ASSERT_TRUE(stopped) << stopped.error().message;
    EXPECT_EQ(running_threads(pid, *stopped), std::vector<pid_t>{});
    EXPECT_GT(stopped->resume(), 0U);
  }
  input.close_write();
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace mini::sources
