#include "tracer_process.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/proc_status.h"
#include "trace_run.h"

namespace mini::sources {
namespace {

constexpr int kReportFd = 3;
constexpr int kBusyAfterEvents = 50;

// Tells the process under trace to the test as soon as it is known.
class ReportingSink final : public TraceSink {
 public:
  explicit ReportingSink(int fd) : fd_(fd) {}
  void on_event(model::Event& event, model::Process&) override {
    ++events_count_;
    if (events_count_ == 1) say(fmt::format("{}\n", event.pid));
    if (events_count_ == kBusyAfterEvents) say("busy\n");
  }
  void on_notice(const std::string&) override {}
  void on_difference(const model::Process&, const std::string& line) override {
    ++differences_count;
    fmt::print(stderr, "difference: {}\n", line);  // a test that fails says which
  }
  void on_detach(model::Process&) override { ++detached_count; }

  void say(const std::string& text) const {
    if (::write(fd_, text.data(), text.size()) < 0) ::_exit(98);
  }

  int differences_count = 0;
  int detached_count = 0;

 private:
  int fd_;
  int events_count_ = 0;
};

[[noreturn]] void run_tracer(const TraceOptions& options, int report_fd) {
  ReportingSink sink(report_fd);
  const auto outcome = run_trace(options, sink);
  if (!outcome) {
    sink.say(outcome.error().message + "\n");
    ::_exit(97);
  }
  sink.say(fmt::format("detached={} let_go={} differences={} verified={}\n",
                       outcome->detached ? 1 : 0, sink.detached_count, sink.differences_count,
                       outcome->verified_count > 0));
  ::_exit(outcome->exit_status);
}

int exit_status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Channel::Channel() {
  if (::pipe2(fds_, O_CLOEXEC) != 0) std::abort();
}

Channel::~Channel() {
  close_read();
  close_write();
}

std::string Channel::read_line() {
  std::string line;
  char byte = 0;
  while (::read(fds_[0], &byte, 1) == 1 && byte != '\n') line += byte;
  return line;
}

bool Channel::at_end() {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = ::read(fds_[0], &byte, 1);
  } while (count > 0);
  return count == 0;
}

void Channel::write(const std::string& text) {
  if (::write(fds_[1], text.data(), text.size()) < 0) std::abort();
}

void Channel::close_read() {
  if (fds_[0] >= 0) ::close(std::exchange(fds_[0], -1));
}

void Channel::close_write() {
  if (fds_[1] >= 0) ::close(std::exchange(fds_[1], -1));
}

TracerProcess::TracerProcess(const TraceOptions& options, Channel& input, Channel& output) {
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    // A shell's background job ignores some of them, and what is ignored when a trace begins stays
    // so.
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) ::signal(signal, SIG_DFL);
    if (!options.command.empty()) {
      ::dup2(input.read_fd(), 0);
      ::dup2(output.write_fd(), 1);
    }
    // Other ends of the test's pipes would keep them from ending.
    ::dup3(report_.write_fd(), kReportFd, O_CLOEXEC);
    ::close_range(kReportFd + 1, ~0U, 0);
    run_tracer(options, kReportFd);
  }
  ::setpgid(pid_, pid_);  // whoever comes first
  report_.close_write();
  if (!options.command.empty()) output.close_write();
}

TracerProcess::~TracerProcess() {
  if (ended_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

pid_t TracerProcess::target_pid() {
  if (target_pid_ == 0) target_pid_ = std::atoi(report_.read_line().c_str());
  return target_pid_;
}

int TracerProcess::wait_end() {
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return -1;
  ended_ = true;
  return exit_status_of(status);
}

int TracerProcess::wait_stop() {
  int status = 0;
  if (::waitpid(pid_, &status, WUNTRACED) != pid_) return -1;
  ended_ = !WIFSTOPPED(status);
  return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

void TracerProcess::wait_busy() {
  EXPECT_EQ(report_.read_line(), "busy");
}

std::string TracerProcess::report() {
  std::string line = report_.read_line();
  return line == "busy" ? report_.read_line() : line;
}

pid_t start_program(const std::vector<std::string>& command, Channel& input, Channel& output) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(input.read_fd(), 0);
    ::dup2(output.write_fd(), 1);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  output.close_write();
  input.close_read();
  return pid;
}

char wait_for_state(pid_t pid, const std::string& states) {
  while (true) {
    const auto status = kernel::read_status(pid);
    if (!status) return '?';
    if (states.find(status->state) != std::string::npos) return status->state;
    ::sched_yield();
  }
}

}  // namespace mini::sources
