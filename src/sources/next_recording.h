// The recording of the program that a process became: recordings do not refer to it, but its file's
// name follows from that of the one before.
#pragma once

#include <optional>
#include <string>

#include "recording/event.h"

namespace mini::sources {

struct NextRecording {
  std::string path;
  std::string executable;
};

/// `path` is that of a process's recording, and `process` what it says of it. Nothing where there
/// is no such file, or where it is of another process: recordings may be renamed.
std::optional<NextRecording> next_recording(const std::string& path,
                                            const recording::ProcessFacts& process);

}  // namespace mini::sources
