// The sections of an ELF file that hold call frame information: .eh_frame and .debug_frame.
#pragma once

#include <cstdint>
#include <optional>

#include "base/byte_cursor.h"
#include "unwind/elf_file.h"

namespace mini::unwind {

struct CfiSection {
  enum class Kind : std::uint8_t { kEhFrame, kDebugFrame };

  Kind kind = Kind::kEhFrame;
  ByteRange bytes;            // in our memory, the ELF file's
  std::uint64_t address = 0;  // of the first byte, as the file says
  // Of .eh_frame_hdr: what data-relative pointers are relative to; 0: there is none.
  std::uint64_t header_address = 0;
};

/// Where a file has no sections at all it is found by the program headers. nullopt where there is
/// none. The bytes live as long as the file.
std::optional<CfiSection> find_eh_frame(const ElfFile& file);

/// Decompressed where need be.
std::optional<CfiSection> find_debug_frame(ElfFile& file);

/// The pointer at the cursor, written as `encoding` (DW_EH_PE_*) says. False where the bytes end,
/// or it is relative to what we do not know, or in memory that the file does not have.
bool take_pointer(ByteCursor& bytes, std::uint8_t encoding, const CfiSection& section,
                  std::uint64_t* pointer);

}  // namespace mini::unwind
