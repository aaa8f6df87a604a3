// Evaluates the DWARF expressions that occur in call frame information, over a target's stack.
//
// Expressions come from a hostile file and read hostile memory: the stack is bounded, every
// operation is checked, there are no branches (compilers emit none in CFI) and so no loops.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "unwind/stack_memory.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

/// One DWARF operation (DW_OP_*) with its operands, signed ones as two's complement.
struct Operation {
  std::uint8_t atom = 0;
  std::uint64_t number = 0;
  std::uint64_t number2 = 0;
};

/// The value left on top, or nullopt where the expression is malformed, unsupported or reads what
/// cannot be read. `cfa` is what DW_OP_call_frame_cfa pushes; nullopt while the CFA is computed.
std::optional<std::uint64_t> evaluate(std::span<const Operation> operations,
                                      const Registers& registers, std::optional<std::uint64_t> cfa,
                                      StackMemory& memory);

}  // namespace mini::unwind
