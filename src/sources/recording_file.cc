#include "sources/recording_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "sources/own_signals.h"

namespace mini::sources {
namespace {

bool is_regular(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

/// Until the descriptor is closed. Where files have no locks, everybody has it.
bool lock(int descriptor) {
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

// As open() does; but that goes on after a signal, and a file is emptied for one recorder at a
// time.
int open_recording(const std::string& path) {
  constexpr std::uint64_t kBetweenTriesNs = 100'000'000;
  std::error_code error;
  const bool is_pipe = std::filesystem::is_fifo(path, error);
  while (true) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (descriptor >= 0 && is_regular(path)) {
      if (lock(descriptor) && ::ftruncate(descriptor, 0) == 0) return descriptor;
      const int number = errno;
      ::close(descriptor);
      errno = number;
      return -1;
    }
    if (descriptor >= 0 || errno != ENXIO || !is_pipe || OwnSignals::must_end()) return descriptor;
    sleep_ns(kBetweenTriesNs);
  }
}

std::string why_not_begun(int error) {
  if (error == ENXIO) return "nobody reads it";
  if (error == EWOULDBLOCK) return std::string(kIsBeingRecorded);
  return std::strerror(error);
}

/// What not even the first block could be written to. Never a device, or where a link leads to.
void remove_unreadable(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) {
    std::filesystem::remove(path, error);
  }
}

}  // namespace

bool is_being_recorded(const std::string& path) {
  if (!is_regular(path)) return false;  // to open a pipe would be to read it
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool is_free = lock(descriptor);
  ::close(descriptor);
  return !is_free;
}

std::string recording_name(const std::string& output, pid_t pid, unsigned image) {
  constexpr std::string_view kSuffix = ".heapspy";
  const bool has_suffix = output.ends_with(kSuffix);
  const std::string stem = has_suffix ? output.substr(0, output.size() - kSuffix.size()) : output;
  const std::string number = image > 1 ? fmt::format("{}.{}", pid, image) : fmt::format("{}", pid);
  return fmt::format("{}.{}{}", stem, number, has_suffix ? kSuffix : "");
}

std::string later_recording(const std::string& output, pid_t pid, unsigned image) {
  std::error_code error;
  const auto status = std::filesystem::status(output, error);
  if (std::filesystem::is_character_file(status)) return output;
  if (std::filesystem::is_other(status)) return "";
  return recording_name(output, pid, image);
}

Result<std::unique_ptr<recording::Writer>> begin_recording(const std::string& path,
                                                           const recording::ProcessFacts& facts) {
  if (path.empty()) return fail("not recorded: a pipe takes the recording of one process", EPIPE);
  const int descriptor = open_recording(path);
  if (descriptor < 0) {
    const int error = errno;
    return fail(fmt::format("the recording cannot be begun: {}", why_not_begun(error)), error);
  }
  auto writer = recording::Writer::create(descriptor, facts, OwnSignals::must_end);
  if (!writer) remove_unreadable(path);
  return writer;
}

}  // namespace mini::sources
