// DWARF expressions in call frame information, as far as they say "a register plus a number".
#pragma once

#include <cstdint>

#include "base/byte_cursor.h"

namespace mini::unwind::self {

/// DWARF's numbers of x86-64 registers (psABI, figure 3.36).
inline constexpr std::uint64_t kDwarfBp = 6;
inline constexpr std::uint64_t kDwarfSp = 7;
inline constexpr std::uint64_t kDwarfReturn = 16;

/// The value of an expression, with what a walk has to supply left open.
struct ExpressionValue {
  enum class Base : std::uint8_t { kUnknown, kNumber, kSp, kBp };
  Base base = Base::kUnknown;
  bool dereferenced = false;  // the word at base + offset, not the sum itself
  std::int64_t offset = 0;
};

/// Evaluates `operations` for the code at `pc`, which decides what linkers write for procedure
/// linkage tables: rsp + 8 + ((rip & 15) >= 11) * 8. Its value is kUnknown where it needs anything
/// but rsp, rbp, rip and numbers.
ExpressionValue evaluate_expression(ByteRange operations, std::uintptr_t pc);

}  // namespace mini::unwind::self
