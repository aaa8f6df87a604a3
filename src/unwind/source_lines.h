// File, line and inlined functions of an address, from DWARF.
//
// libdw's own lookup needs .debug_aranges, which Clang does not write: we index the compilation
// units' ranges ourselves, once, and the functions of a unit when it is first asked about. Walks
// over DIEs are bounded in depth and number: the DWARF is the target's.
#pragma once

#include <cstdint>
#include <elfutils/libdw.h>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_cursor.h"
#include "unwind/elf_file.h"
#include "unwind/function_names.h"
#include "unwind/section_strings.h"

namespace mini::unwind {

/// One function of the source at an address.
struct SourceFrame {
  std::string function;  // demangled; "" where DWARF has no name
  std::string file;
  std::uint32_t line = 0;
  bool inlined = false;  // into the frame after it
};

class SourceLines {
 public:
  /// `file` must outlive this; it may have no DWARF. What it shares with other files (dwz) is
  /// looked for under `root`; none of it is used where that is not found.
  SourceLines(ElfFile& file, const std::string& root);
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;
  ~SourceLines();

  /// Innermost first; the last one is the function itself. Empty where DWARF does not cover it.
  std::vector<SourceFrame> frames_at(std::uint64_t address);

 private:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Dwarf_Off die_offset = 0;  // of the unit, or of the function
  };

  bool begin(ElfFile& file);
  void end();
  void index_units();
  const std::vector<Range>& functions_of(Dwarf_Die unit);
  bool may_read_lines(Dwarf_Die* unit);

  std::unique_ptr<ElfFile> supplement_;
  Dwarf* dwarf_ = nullptr;
  Dwarf* supplementary_dwarf_ = nullptr;
  std::unique_ptr<SectionStrings> strings_;  // of both
  std::unique_ptr<FunctionNames> names_;
  ByteRange line_tables_;                               // .debug_line
  std::unordered_map<std::uint64_t, bool> lines_read_;  // by where in it a unit's table is
  std::uint64_t line_bytes_ = 0;                        // of those that are read
  bool units_indexed_ = false;
  std::vector<Range> units_;                                     // by begin
  std::unordered_map<Dwarf_Off, std::vector<Range>> functions_;  // by unit
  std::size_t kept_ranges_ = 0;                                  // in functions_
};

}  // namespace mini::unwind
