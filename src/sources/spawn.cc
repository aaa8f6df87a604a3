// Between fork and execve the child calls async-signal-safe functions only.
#include "sources/spawn.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/elf_class.h"
#include "kernel/file_descriptor.h"

namespace mini::sources {
namespace {

// execve's errno arrives on `status`; nothing where it succeeds and closes it.
[[noreturn]] void run_child(const char* path, char* const* command, char* const* shell_command,
                            char* const* environment, int status, const OwnSignals& signals) {
  signals.restore();
  ::execve(path, command, environment);
  if (errno == ENOEXEC && shell_command != nullptr) {
    ::execve("/bin/sh", shell_command, environment);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(status, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Result<pid_t> spawn(const std::string& path, const std::vector<std::string>& command,
                    const Variables& variables, const OwnSignals& signals) {
  std::vector<std::string> words = command;
  std::vector<std::string> shell_words = {"/bin/sh", path};
  shell_words.insert(shell_words.end(), command.begin() + 1, command.end());
  std::vector<std::string> environment_words = environment_with(variables);
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> shell_arguments = pointers_to(shell_words);
  const std::vector<char*> environment = pointers_to(environment_words);
  // As shells have it: text without "#!" is theirs to run.
  const bool is_script = kernel::classify_file(path) == kernel::FileKind::kOther;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(fmt::format("cannot make a pipe: {}", std::strerror(errno)), errno);
  }
  const kernel::FileDescriptor read_end(ends[0]);
  kernel::FileDescriptor write_end(ends[1]);
  OwnSignals::hold();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(fmt::format("cannot fork: {}", std::strerror(errno)), errno);
  if (pid == 0) {
    run_child(path.c_str(), arguments.data(), is_script ? shell_arguments.data() : nullptr,
              environment.data(), write_end.get(), signals);
  }
  write_end = {};
  OwnSignals::watch_group();
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(read_end.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(sizeof error)) return pid;
  ::waitpid(pid, nullptr, 0);
  // The file was there a moment ago: what is missing is its interpreter.
  const char* const reason =
      error == ENOENT ? "the interpreter it names is missing" : std::strerror(error);
  return fail(fmt::format("cannot run {}: {}", command.front(), reason), error);
}

}  // namespace mini::sources
