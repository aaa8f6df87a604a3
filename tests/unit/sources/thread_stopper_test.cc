// A process that is stopped for a moment gets its end, and its parent gets to know of it, even
// where it is killed in that moment.
#include "sources/thread_stopper.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/proc_file.h"
#include "trace_run.h"
#include "tracer_process.h"

namespace mini::sources {
namespace {

class ThreadStopperTest : public testing::Test {
 protected:
  void stop() {
    stopper_ = std::make_unique<ThreadStopper>(pid_);
    stopper_->stop();
    EXPECT_EQ(stopper_->threads().size(), 3U);
  }
  /// Until the one who waits for it has reaped it.
  template <typename Condition>
  void release_until(Condition is_over) {
    stopper_->release();
    while (!is_over()) {
      stopper_->release_late_ones();
      ::usleep(1000);
    }
  }
  bool is_reaped() const { return kernel::read_thread_ids(pid_).empty(); }

  Channel input_;
  Channel output_;
  pid_t pid_ = 0;
  std::unique_ptr<ThreadStopper> stopper_;
};

TEST_F(ThreadStopperTest, AChildOfOursThatIsKilledMeanwhileIsLeftToItsWaiter) {
  pid_ = start_program({target("steady")}, input_, output_);
  ASSERT_EQ(output_.read_line(), "alive 0");
  stop();
  ::kill(pid_, SIGKILL);
  int status = 0;
  release_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(ThreadStopperTest, AnothersChildThatIsKilledMeanwhileIsReapedByItsParent) {
  Channel told;
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t child = start_program({target("steady")}, input_, output_);
    told.write(std::to_string(child) + "\n");
    ::_exit(::waitpid(child, nullptr, 0) == child ? 0 : 1);
  }
  pid_ = std::stoi(told.read_line());
  ASSERT_EQ(output_.read_line(), "alive 0");
  stop();
  ::kill(pid_, SIGKILL);
  release_until([&] { return is_reaped(); });
  int status = 0;
  EXPECT_EQ(::waitpid(parent, &status, 0), parent);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace mini::sources
