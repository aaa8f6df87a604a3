// Call frame information of one module, compiled to rows on demand, each address once.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "unwind/cfi_entries.h"
#include "unwind/elf_file.h"
#include "unwind/unwind_row.h"

namespace mini::unwind {

class CfiTable {
 public:
  /// `file` must outlive the table; it may have no call frame information at all.
  explicit CfiTable(const ElfFile& file);
  CfiTable(const CfiTable&) = delete;
  CfiTable& operator=(const CfiTable&) = delete;
  ~CfiTable() = default;

  /// Adds the .debug_frame of a file that must outlive the table, too. It is asked where .eh_frame
  /// has nothing.
  void add_debug_frame(ElfFile& file);

  /// The row for an address of the file (for a caller: its return address - 1). A row's `full` part
  /// lives as long as the table.
  UnwindRow row_at(std::uint64_t address);

 private:
  UnwindRow compile(std::uint64_t address);
  UnwindRow compile_from(const CfiEntries& entries, std::uint64_t address);

  std::optional<CfiEntries> eh_frame_;
  std::optional<CfiEntries> debug_frame_;
  std::unordered_map<std::uint64_t, UnwindRow> rows_;
  std::deque<FullRow> full_rows_;
};

}  // namespace mini::unwind
