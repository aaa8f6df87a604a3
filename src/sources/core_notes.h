// What the notes of an ELF core file tell of the process: its threads, the files that it had
// mapped, what ended it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/inspection.h"

namespace mini::sources {

/// A mapping of a file, as the core's notes tell.
struct CoreFileMapping {
  AddressRange range;
  std::uint64_t file_offset = 0;
  std::string path;
};

struct CoreNotes {
  std::vector<CoreFileMapping> files;           // as they come
  std::vector<model::InspectedThread> threads;  // the one that a signal ended is the first
  int signal = 0;                               // 0: none ended it
  std::optional<std::int64_t> sender;           // the process that sent the signal, where one did
  std::int64_t pid = 0;
  Address program_headers;  // AT_PHDR
  Address interpreter;      // AT_BASE
};

/// Adds what a segment of notes tells. What lies is left out.
void add_notes(CoreNotes& notes, std::span<const std::byte> segment);

/// nullopt where no signal ended the process.
std::optional<model::CoreEnd> end_of(const CoreNotes& notes);
/// By a signal that its own doing brought it.
bool has_crashed(const CoreNotes& notes);

}  // namespace mini::sources
