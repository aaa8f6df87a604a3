// A recording as an SQLite database: every event is a row. docs/exports.md describes the tables.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recording/event.h"

namespace mini::database {

/// Told now and then how much of the recording has been read.
using ReadProgress = std::function<void(std::uint64_t read_bytes, std::uint64_t file_bytes)>;

/// The functions at a module's return address; none where they are not known.
using NameFrame = std::function<std::vector<recording::SourceFrame>(const recording::ModuleFacts&,
                                                                    std::uint64_t address)>;

/// Reads a recording from front to back, in memory for what is live at once, whatever its length.
/// The file appears under its name when it is whole; until then it has one of its own beside it,
/// that ends with .partial. Symbolic links stay and lead to it. A damaged or cut recording gives
/// what is sound; frames that it does not name, as its recorder was killed, are asked for. Errors
/// are ready to be shown.
Result<void> write_recording_database(const std::string& recording, const std::string& path,
                                      std::string_view heapspy_version,
                                      const ReadProgress& progress,
                                      const NameFrame& name_frame = {});

}  // namespace mini::database
