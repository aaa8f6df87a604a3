#include "trace_run.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>

namespace mini::sources {
namespace {

// Our standard output is a file for as long as this lives.
class OutputToFile {
 public:
  OutputToFile() : file_(std::tmpfile()), saved_(::fcntl(1, F_DUPFD_CLOEXEC, 10)) {
    if (file_ == nullptr) std::abort();
    std::fflush(stdout);
    ::dup2(::fileno(file_), 1);
    ::fcntl(::fileno(file_), F_SETFD, FD_CLOEXEC);
  }
  OutputToFile(const OutputToFile&) = delete;
  OutputToFile& operator=(const OutputToFile&) = delete;
  ~OutputToFile() { std::fclose(file_); }

  std::string take() {
    std::fflush(stdout);
    ::dup2(saved_, 1);
    ::close(saved_);
    std::string text(static_cast<std::size_t>(std::max(0L, ::lseek(::fileno(file_), 0, SEEK_END))),
                     '\0');
    const ssize_t count = ::pread(::fileno(file_), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return text;
  }

 private:
  std::FILE* file_;
  int saved_;
};

}  // namespace

void Recorder::on_event(model::Event& event, model::Process& process) {
  ++events_count;
  if (!keep_events) return;
  events.push_back(event);
  executables.push_back(process.executable);
}

void Recorder::on_difference(const model::Process& process, const std::string& line) {
  differences.push_back(fmt::format("{}: {}", process.pid, line));
}

std::size_t Recorder::count(model::EventKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &model::Event::kind));
}

std::size_t Recorder::count(std::string_view syscall) const {
  return static_cast<std::size_t>(std::ranges::count(events, syscall, &model::Event::syscall));
}

const model::Event* Recorder::find(std::string_view syscall) const {
  const auto it = std::ranges::find(events, syscall, &model::Event::syscall);
  return it != events.end() ? &*it : nullptr;
}

std::string target(std::string_view name) {
  return fmt::format("{}/{}", MINI_TARGETS_DIR, name);
}

TraceRun run_traced(const TraceOptions& options, bool keep_events) {
  TraceRun run;
  run.recorder.keep_events = keep_events;
  OutputToFile output;
  run.outcome = run_trace(options, run.recorder);
  run.output = output.take();
  return run;
}

PlainRun run_plain(const std::vector<std::string>& command) {
  PlainRun run;
  OutputToFile output;
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  run.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  run.output = output.take();
  return run;
}

TraceOptions verified(std::vector<std::string> command) {
  TraceOptions options;
  options.command = std::move(command);
  options.verify_every = 1;
  return options;
}

}  // namespace mini::sources
