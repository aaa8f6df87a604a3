#include "cli/output_file.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
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

std::unexpected<Error> cannot_write(const std::string& name, int error) {
  return fail(fmt::format("cannot write {}: {}", name, views::errno_text(error)), error);
}

/// Opens `path`, which messages call `shown`.
Result<OutputFile> open_as(const std::string& path, const std::string& shown,
                           std::optional<PartialFile> partial) {
  const std::string name = fmt::format("'{}'", shown);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return cannot_write(name, errno);
  if (fd > STDERR_FILENO) return OutputFile(fd, name, std::move(partial));
  // One of the standard streams was closed: what is written to that is not for this file.
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  close(fd);
  if (moved < 0) return cannot_write(name, error);
  return OutputFile(moved, name, std::move(partial));
}

/// Whether nobody sees a difference where another file takes the place of that one, or where there
/// is none yet. It must have no other names, be ours, have no list of who may what, and be a file
/// of the folder that it is in.
bool is_replaceable(const std::string& path) {
  struct statx status{};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &status) != 0) return errno == ENOENT;
  return S_ISREG(status.stx_mode) && status.stx_nlink == 1 && status.stx_uid == geteuid() &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 &&
         getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) < 0;
}

bool is_lack_of_room(int error) {
  return error == ENOSPC || error == EDQUOT;
}

}  // namespace

OutputFile::OutputFile(int fd, std::string name, std::optional<PartialFile> partial)
    : fd_(fd), name_(std::move(name)), partial_(std::move(partial)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      partial_(std::move(other.partial_)) {}

OutputFile::~OutputFile() {
  if (fd_ > STDERR_FILENO) close(fd_);
}

Result<void> OutputFile::appear() {
  if (!partial_) return {};
  if (const auto appeared = partial_->appear(); !appeared) {
    return cannot_write(name_, appeared.error().error_number);
  }
  return {};
}

std::optional<std::string> output_path_of(const std::string& word) {
  return word == "-" ? std::nullopt : std::optional(word);
}

Result<OutputFile> open_output(const std::string& path) {
  return open_as(path, path, std::nullopt);
}

Result<OutputFile> open_whole_output(const std::optional<std::string>& path) {
  if (!path || !is_replaceable(*path)) return open_output_or_stdout(path);
  auto partial = PartialFile::make_for(*path);
  if (partial) {
    const std::string name = partial->name();
    return open_as(name, *path, std::move(*partial));
  }
  // Else there may be a way yet, as for a file in a folder where none can be made.
  const int error = partial.error().error_number;
  return is_lack_of_room(error) ? cannot_write(fmt::format("'{}'", *path), error)
                                : open_output(*path);
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

Result<void> finish_output(const views::Output& output, OutputFile& file) {
  return output.healthy() ? file.appear() : cannot_write(file.name(), output.error_number());
}

Result<void> write_whole(OutputFile& file, const std::string& text) {
  views::Output output(file.fd(), views::Output::Flush::kBatched);
  output.write(text);
  output.flush();
  return finish_output(output, file);
}

Result<void> write_stdout(const std::string& text) {
  OutputFile file(STDOUT_FILENO, "standard output");
  return write_whole(file, text);
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
