// What an ELF file says of how it will be in memory, before it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace mini::lab {

/// A PT_LOAD: one mapping of the file, and where it is longer in memory than in the file, zeros.
struct LoadedSegment {
  std::uint64_t address = 0;
  Bytes in_file;
  Bytes in_memory;
  bool write = false;
  bool execute = false;

  /// Whether the zeros reach into pages that the file's mapping does not have: a mapping more.
  bool has_anonymous_tail(Bytes page_size) const;
};

struct ElfProgram {
  std::vector<LoadedSegment> segments;
  std::string interpreter;  // the loader; "" for a static program and for most libraries
};

/// Fails where the file is no 64-bit ELF file.
Result<ElfProgram> read_elf_program(const std::string& path);

/// The address of a symbol in the file's own numbering; nullopt where there is none of that name.
std::optional<std::uint64_t> symbol_address(const std::string& path, std::string_view name);

/// Those in a loader's list: "\tNAME => PATH (0xADDRESS)", or "\tPATH (0xADDRESS)" of one that was
/// asked for by its path.
std::vector<std::string> listed_libraries(std::string_view listed, std::string_view loader);

/// The libraries that the loader will map for a program, itself and the kernel's not counted: as
/// the program's own loader lists them, which does not run the program.
Result<std::vector<std::string>> libraries_of(const std::string& path);

}  // namespace mini::lab
