// The child's steps: wait for the tracer, install the filter, report, wait again, execve. Between
// fork and execve it calls async-signal-safe functions only and touches no memory map.
#include "sources/launch.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/elf_class.h"
#include "kernel/ptrace.h"
#include "kernel/seccomp_filter.h"
#include "sources/refusal.h"

namespace mini::sources {
namespace {

// What execve itself would say of the file, without running it.
int executable_error(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return EACCES;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

std::unexpected<Error> cannot_run(const std::string& name, int error) {
  const char* reason = error == ENOENT ? "no such command" : std::strerror(error);
  return fail(fmt::format("cannot run {}: {}", name, reason), error);
}

struct Pipe {
  kernel::FileDescriptor read_end;
  kernel::FileDescriptor write_end;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{kernel::FileDescriptor(fds[0]), kernel::FileDescriptor(fds[1])};
}

bool read_word(int fd, int& word) {
  ssize_t count = 0;
  do {
    count = ::read(fd, &word, sizeof word);
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(sizeof word);
}

bool write_word(int fd, int word) {
  return ::write(fd, &word, sizeof word) == static_cast<ssize_t>(sizeof word);
}

struct ChildPlan {
  const char* path;
  char* const* arguments;                  // of the program
  char* const* shell_arguments;            // /bin/sh PATH …; nullptr for a file that is no script
  const std::vector<sock_filter>* filter;  // nullptr: none wanted
  char* const* environment;
  int input;   // -1: ours
  int output;  // -1: ours
  const OwnSignals* signals;
  int go;
  int status;
};

void take_descriptors(int input, int output) {
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  if (output >= 0) ::dup2(output, STDERR_FILENO);
}

[[noreturn]] void run_child(const ChildPlan& plan) {
  int word = 0;
  if (!read_word(plan.go, word)) ::_exit(127);  // the tracer has gone
  plan.signals->restore();
  const int filter_error = plan.filter == nullptr ? 0 : kernel::install_filter(*plan.filter);
  if (!write_word(plan.status, filter_error) || !read_word(plan.go, word)) ::_exit(127);
  take_descriptors(plan.input, plan.output);
  ::execve(plan.path, plan.arguments, plan.environment);
  if (errno == ENOEXEC && plan.shell_arguments != nullptr) {
    ::execve("/bin/sh", plan.shell_arguments, plan.environment);
  }
  write_word(plan.status, errno);
  ::_exit(127);
}

std::unexpected<Error> give_up(pid_t pid, std::string message, int error) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, __WALL);
  return fail(std::move(message), error);
}

/// Traces the child, and has it go on to its program.
Result<Launched> start_traced(pid_t pid, const std::string& name, const Pipe& go, Pipe& status,
                              bool use_seccomp, unsigned options) {
  Launched launched;
  launched.pid = pid;
  launched.status = std::move(status.read_end);
  if (const int error = kernel::trace_seize(pid, options); error != 0) {
    return give_up(pid, fmt::format("cannot trace {}: {}", name, explain_refusal(pid, error, true)),
                   error);
  }
  if (!write_word(go.write_end.get(), 1) ||
      !read_word(launched.status.get(), launched.filter_errno)) {
    return give_up(pid, "the child ended before it could be started", ECHILD);
  }
  launched.filtered = use_seccomp && launched.filter_errno == 0;
  // Without a filter the child must be stopped once to be stopped at its system calls from then on;
  // it gets no further than the end of its read().
  if (!launched.filtered) kernel::trace_interrupt(pid);
  write_word(go.write_end.get(), 1);
  return launched;
}

}  // namespace

Result<std::string> resolve_command(const std::string& name) {
  if (name.empty()) return cannot_run("\"\"", ENOENT);
  if (name.find('/') != std::string::npos) {
    const int error = executable_error(name);
    return error == 0 ? Result<std::string>(name) : cannot_run(name, error);
  }
  const char* variable = std::getenv("PATH");
  std::string_view path = variable != nullptr ? variable : "/bin:/usr/bin";
  int error = ENOENT;
  while (true) {
    const auto colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    std::string candidate =
        directory.empty() ? fmt::format("./{}", name) : fmt::format("{}/{}", directory, name);
    const int candidate_error = executable_error(candidate);
    if (candidate_error == 0) return candidate;
    // Not where the directory may not be searched: shells say "not found" then, too.
    if (candidate_error == EACCES && ::access(candidate.c_str(), F_OK) == 0) error = EACCES;
    if (colon == std::string_view::npos) break;
    path.remove_prefix(colon + 1);
  }
  return cannot_run(name, error);
}

Result<Launched> launch(const std::string& path, const std::vector<std::string>& command,
                        const TargetSettings& settings, bool use_seccomp, unsigned options,
                        const OwnSignals& signals) {
  auto go = make_pipe();
  auto status = make_pipe();
  if (!go || !status)
    return fail(fmt::format("cannot make a pipe: {}", std::strerror(errno)), EMFILE);
  const std::vector<sock_filter> filter = kernel::build_memory_filter();
  std::vector<std::string> words = command;
  const std::vector<char*> arguments = pointers_to(words);
  std::vector<std::string> shell_command = {"/bin/sh", path};
  shell_command.insert(shell_command.end(), command.begin() + 1, command.end());
  const std::vector<char*> shell_arguments = pointers_to(shell_command);
  std::vector<std::string> variables = environment_with(settings.variables);
  const std::vector<char*> environment = pointers_to(variables);
  // As shells have it: text without "#!" is theirs to run, an ELF file is the kernel's or nobody's.
  const bool is_script = kernel::classify_file(path) == kernel::FileKind::kOther;
  OwnSignals::hold();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(fmt::format("cannot fork: {}", std::strerror(errno)), errno);
  if (pid == 0) {
    go->write_end = {};
    run_child({.path = path.c_str(),
               .arguments = arguments.data(),
               .shell_arguments = is_script ? shell_arguments.data() : nullptr,
               .filter = use_seccomp ? &filter : nullptr,
               .environment = environment.data(),
               .input = settings.input,
               .output = settings.output,
               .signals = &signals,
               .go = go->read_end.get(),
               .status = status->write_end.get()});
  }
  status->write_end = {};
  OwnSignals::watch_group();
  return start_traced(pid, command.front(), *go, *status, use_seccomp, options);
}

int read_exec_error(const Launched& launched) {
  int error = 0;
  return read_word(launched.status.get(), error) ? error : 0;
}

}  // namespace mini::sources
