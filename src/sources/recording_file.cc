#include "sources/recording_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>

#include "base/clock.h"
#include "sources/own_signals.h"

namespace mini::sources {
namespace {

// As open() does; but that goes on after a signal.
int open_recording(const std::string& path) {
  constexpr std::uint64_t kBetweenTriesNs = 100'000'000;
  std::error_code error;
  const bool is_pipe = std::filesystem::is_fifo(path, error);
  while (true) {
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (descriptor >= 0 || errno != ENXIO || !is_pipe || OwnSignals::must_end()) return descriptor;
    sleep_ns(kBetweenTriesNs);
  }
}

/// What not even the first block could be written to. Never a device, or where a link leads to.
void remove_unreadable(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) {
    std::filesystem::remove(path, error);
  }
}

}  // namespace

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
    const std::string why = error == ENXIO ? "nobody reads it" : std::strerror(error);
    return fail(fmt::format("the recording cannot be begun: {}", why), error);
  }
  auto writer = recording::Writer::create(descriptor, facts, OwnSignals::must_end);
  if (!writer) remove_unreadable(path);
  return writer;
}

}  // namespace mini::sources
