// A process of our own, stopped as inject::Attachment stops one.
#include "inject/interrupted_calls.h"

#include <array>
#include <csignal>
#include <ctime>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/stopped_process.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"

namespace mini::inject {
namespace {

#if defined(__x86_64__)

constexpr int kWoken = 7;
constexpr unsigned kMostSeconds = 600;  // then SIGALRM ends it

struct Wait {
  const char* name;
  void (*wait)();
};

const std::array kWaits = {
    Wait{"pause", [] { ::pause(); }},
    Wait{"poll", [] { ::poll(nullptr, 0, 3'600'000); }},
    Wait{"nanosleep",
         [] {
           const timespec time{3600, 0};
           ::nanosleep(&time, nullptr);
         }},
    Wait{"epoll_wait",
         [] {
           epoll_event event;
           ::epoll_wait(::epoll_create1(0), &event, 1, -1);
         }},
};

pid_t start(const Wait& wait) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, nullptr);
  ::alarm(kMostSeconds);
  wait.wait();
  ::_exit(kWoken);
}

void wait_until_it_waits(pid_t pid) {
  for (auto status = kernel::read_status(pid); status && status->state != 'S';
       status = kernel::read_status(pid)) {
    const timespec time{0, 1'000'000};
    ::nanosleep(&time, nullptr);
  }
}

class InterruptedCallsTest : public testing::TestWithParam<Wait> {
 protected:
  void SetUp() override {
    child_ = start(GetParam());
    wait_until_it_waits(child_);
    stop();
  }
  void TearDown() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  void stop() {
    const auto thread = stop_thread(child_, ledger_);
    ASSERT_TRUE(thread);
    thread_ = *thread;
  }
  /// As the kernel lets it go: up to the instruction that begins the call again.
  void let_go_to_the_instruction() {
    const kernel::ThreadContext at = kernel::undisturbed(thread_.context);
    ledger_.interrupted.let_go(child_, at);
    const kernel::ThreadContext again = kernel::resume_point(at, false);
    ASSERT_NE(again.rip, at.rip);
    ASSERT_TRUE(kernel::write_context(child_, again));
  }
  int end() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  pid_t child_ = 0;
  TraceLedger ledger_;
  StoppedThread thread_;
};

TEST_P(InterruptedCallsTest, ASignalBeforeTheCallBeginsAgainEndsIt) {
  let_go_to_the_instruction();
  ::kill(child_, SIGUSR1);
  const auto at = kernel::read_context(child_);
  ASSERT_TRUE(at);
  thread_.context = ledger_.interrupted.stopped(child_, *at);
  let_go(thread_, ledger_);
  EXPECT_EQ(end(), kWoken);
}

TEST_P(InterruptedCallsTest, WithoutASignalItWaitsOn) {
  for (int i = 0; i < 3; ++i) {
    let_go_to_the_instruction();
    const auto at = kernel::read_context(child_);
    ASSERT_TRUE(at);
    thread_.context = ledger_.interrupted.stopped(child_, *at);
    let_go(thread_, ledger_);
    wait_until_it_waits(child_);
    stop();
  }
  let_go(thread_, ledger_);
  wait_until_it_waits(child_);
  ::kill(child_, SIGUSR1);
  EXPECT_EQ(end(), kWoken);
}

TEST_P(InterruptedCallsTest, AThreadThatIsElsewhereStaysThere) {
  let_go_to_the_instruction();
  auto at = kernel::read_context(child_);
  ASSERT_TRUE(at);
  ++at->rdx;
  EXPECT_EQ(ledger_.interrupted.stopped(child_, *at), *at);
  --at->rdx;
  EXPECT_EQ(ledger_.interrupted.stopped(child_ + 1, *at), *at);
  EXPECT_NE(ledger_.interrupted.stopped(child_, *at), *at);
}

INSTANTIATE_TEST_SUITE_P(Waits, InterruptedCallsTest, testing::ValuesIn(kWaits),
                         [](const auto& wait) { return std::string(wait.param.name); });

#endif

}  // namespace
}  // namespace mini::inject
