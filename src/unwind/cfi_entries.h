// The entries of one section of call frame information, found by address (DWARF 5, §6.4.1).
//
// All of them are read once, without their instructions, into an index in the order of the code.
// The table that linkers make for that, .eh_frame_hdr, is not believed: it may be absent,
// incomplete or made up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/byte_cursor.h"
#include "unwind/cfi_section.h"

namespace mini::unwind {

/// What many descriptions share (a CIE).
struct CommonEntry {
  std::uint64_t code_alignment = 0;
  std::int64_t data_alignment = 0;
  std::uint64_t return_register = 0;
  std::uint8_t pointer_encoding = 0;
  bool has_augmentation_data = false;
  bool is_signal_frame = false;
  ByteRange instructions;
};

/// What describes one range of code (an FDE).
struct FrameEntry {
  CommonEntry common;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  ByteRange instructions;
};

class CfiEntries {
 public:
  explicit CfiEntries(const CfiSection& section);

  const CfiSection& section() const { return section_; }

  /// Of overlapping entries the one that begins last; of those that begin together, the first of
  /// the section. None where that one ends before the address: what linkers leave of functions that
  /// they threw away may seem to reach over many others.
  std::optional<FrameEntry> find(std::uint64_t address) const;

 private:
  // Places are offsets in the section, which is small enough.
  struct Entry {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t instructions_begin = 0;
    std::uint32_t instructions_end = 0;
    std::uint32_t common = 0;
  };
  struct Reading;

  ByteCursor cursor_at(std::uint64_t offset) const;
  std::optional<std::uint32_t> common_at(std::uint64_t offset, Reading* reading);
  void add(ByteCursor content, std::uint64_t common_offset, Reading* reading);

  CfiSection section_;
  std::vector<CommonEntry> commons_;
  std::vector<Entry> entries_;  // in the order of the code
};

}  // namespace mini::unwind
