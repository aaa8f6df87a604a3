// The file that a process is recorded to: its name, and its beginning.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/result.h"
#include "recording/writer.h"

namespace mini::sources {

inline constexpr std::string_view kIsBeingRecorded =
    "another heapspy is writing to it: choose another name with -o";

/// Whether a recorder writes to that file.
bool is_being_recorded(const std::string& path);

/// The file of a later process: "app.heapspy" -> "app.1234.heapspy", and for the n-th program that
/// one process becomes "app.1234.n.heapspy".
std::string recording_name(const std::string& output, pid_t pid, unsigned image);

/// What a process after the first is recorded to: a device takes all that comes, a pipe one
/// recording; "" for none.
std::string later_recording(const std::string& output, pid_t pid, unsigned image);

/// A pipe is waited for until somebody reads it, or a signal asks for the end. Fails for "".
Result<std::unique_ptr<recording::Writer>> begin_recording(const std::string& path,
                                                           const recording::ProcessFacts& facts);

}  // namespace mini::sources
