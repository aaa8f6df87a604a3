// Call frame instructions (DWARF 5, §6.4.2), run up to one address.
#pragma once

#include <cstdint>
#include <optional>

#include "unwind/cfi_entries.h"
#include "unwind/unwind_row.h"

namespace mini::unwind {

/// The rules at an address that `frame` describes. Where the rule of the return address is
/// kUndefined the others are left out. nullopt where an instruction is malformed or not known, or
/// what the rules need is not. `section` is the one that the frame is from.
std::optional<FullRow> run_cfi_program(const FrameEntry& frame, const CfiSection& section,
                                       std::uint64_t address);

}  // namespace mini::unwind
