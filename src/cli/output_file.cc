#include "cli/output_file.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "cli/cmd_trace.h"
#include "cli/terminal.h"
#include "views/event_facts.h"

namespace mini::cli {
namespace {

void outlive(int signal) {
  struct sigaction action{};
  if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

OutputFile::OutputFile(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)) {}

OutputFile::~OutputFile() {
  if (fd_ > STDERR_FILENO) close(fd_);
}

Result<OutputFile> open_output(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    const int error = errno;
    return fail(fmt::format("cannot write '{}': {}", path, views::errno_text(error)), error);
  }
  if (fd > STDERR_FILENO) return OutputFile(fd, fmt::format("'{}'", path));
  // One of the standard streams was closed: what is written to that is not for this file.
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  close(fd);
  if (moved >= 0) return OutputFile(moved, fmt::format("'{}'", path));
  return fail(fmt::format("cannot write '{}': {}", path, views::errno_text(error)), error);
}

Result<OutputFile> open_output_or_stdout(const std::optional<std::string>& path) {
  if (path) return open_output(*path);
  return OutputFile(STDOUT_FILENO, "standard output");
}

bool is_same_file(const std::string& one, const std::string& other) {
  std::error_code error;
  const auto kind = std::filesystem::status(one, error).type();
  if (kind == std::filesystem::file_type::not_found) {
    const auto place = [&error](const std::string& path) {
      return std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
    };
    return place(one) == place(other) && !error;
  }
  return kind == std::filesystem::file_type::regular &&
         std::filesystem::equivalent(one, other, error);
}

Result<void> check_not_input(const std::optional<std::string>& output,
                             std::span<const std::string> inputs) {
  if (!output) return {};
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!std::filesystem::exists(input, error) || !is_same_file(input, *output)) continue;
    return fail(
        fmt::format("-o {} is what is read here, and would be lost: type another name", *output));
  }
  return {};
}

Result<void> check_written(const views::Output& output, const OutputFile& file) {
  if (output.healthy()) return {};
  const int error = output.error_number();
  return fail(fmt::format("cannot write {}: {}", file.name(), views::errno_text(error)), error);
}

Result<void> write_whole(const OutputFile& file, const std::string& text) {
  views::Output output(file.fd(), views::Output::Flush::kBatched);
  output.write(text);
  output.flush();
  return check_written(output, file);
}

Result<void> write_stdout(const std::string& text) {
  return write_whole(OutputFile(STDOUT_FILENO, "standard output"), text);
}

int show_text(std::string_view who, const std::string& text) {
  const auto written = write_stdout(text);
  if (written) return 0;
  print_complaint(who, written.error().message);
  return kExitOutputError;
}

void outlive_full_files() {
  outlive(SIGXFSZ);
}

void outlive_failed_writes() {
  outlive(SIGPIPE);
  outlive(SIGXFSZ);
}

}  // namespace mini::cli
