// The operations of a DWARF expression, from its bytes (DWARF 5, §7.7.1).
#include "unwind/dwarf_operations.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <dwarf.h>

namespace mini::unwind {
namespace {

constexpr std::size_t kMaxOperations = 64;

enum class Operand : std::uint8_t {
  kUnknown,  // the whole operation
  kNone,
  kUnsigned1,
  kUnsigned2,
  kUnsigned4,
  kSigned1,
  kSigned2,
  kSigned4,
  kEight,  // signed or not
  kUleb,
  kSleb,
  kUlebAndSleb,
};

using Operands = std::array<Operand, 256>;  // by atom

constexpr void set_range(Operands& operands, unsigned first, unsigned last, Operand operand) {
  for (unsigned atom = first; atom <= last; ++atom) operands[atom] = operand;
}

/// Of what evaluate() knows, and the kind that all others are.
constexpr Operands make_operands() {
  Operands operands{};
  set_range(operands, DW_OP_lit0, DW_OP_lit31, Operand::kNone);
  set_range(operands, DW_OP_breg0, DW_OP_breg31, Operand::kSleb);
  set_range(operands, DW_OP_dup, DW_OP_over, Operand::kNone);
  set_range(operands, DW_OP_swap, DW_OP_rot, Operand::kNone);
  set_range(operands, DW_OP_abs, DW_OP_plus, Operand::kNone);
  set_range(operands, DW_OP_shl, DW_OP_xor, Operand::kNone);
  set_range(operands, DW_OP_eq, DW_OP_ne, Operand::kNone);
  for (const unsigned atom : {DW_OP_deref, DW_OP_nop, DW_OP_call_frame_cfa, DW_OP_stack_value}) {
    operands[atom] = Operand::kNone;
  }
  operands[DW_OP_addr] = Operand::kEight;
  operands[DW_OP_const1u] = Operand::kUnsigned1;
  operands[DW_OP_const1s] = Operand::kSigned1;
  operands[DW_OP_const2u] = Operand::kUnsigned2;
  operands[DW_OP_const2s] = Operand::kSigned2;
  operands[DW_OP_const4u] = Operand::kUnsigned4;
  operands[DW_OP_const4s] = Operand::kSigned4;
  operands[DW_OP_const8u] = Operand::kEight;
  operands[DW_OP_const8s] = Operand::kEight;
  operands[DW_OP_constu] = Operand::kUleb;
  operands[DW_OP_consts] = Operand::kSleb;
  operands[DW_OP_pick] = Operand::kUnsigned1;
  operands[DW_OP_deref_size] = Operand::kUnsigned1;
  operands[DW_OP_plus_uconst] = Operand::kUleb;
  operands[DW_OP_bregx] = Operand::kUlebAndSleb;
  return operands;
}
constexpr Operands kOperands = make_operands();

std::uint64_t extended(std::int64_t number) {
  return static_cast<std::uint64_t>(number);
}

std::uint64_t take_operand(ByteCursor& bytes, Operand operand) {
  switch (operand) {
    case Operand::kUnsigned1:
      return bytes.take<std::uint8_t>();
    case Operand::kUnsigned2:
      return bytes.take<std::uint16_t>();
    case Operand::kUnsigned4:
      return bytes.take<std::uint32_t>();
    case Operand::kSigned1:
      return extended(bytes.take<std::int8_t>());
    case Operand::kSigned2:
      return extended(bytes.take<std::int16_t>());
    case Operand::kSigned4:
      return extended(bytes.take<std::int32_t>());
    case Operand::kEight:
      return bytes.take<std::uint64_t>();
    case Operand::kUleb:
    case Operand::kUlebAndSleb:
      return bytes.take_uleb();
    case Operand::kSleb:
      return extended(bytes.take_sleb());
    case Operand::kUnknown:
    case Operand::kNone:
      break;
  }
  return 0;
}

}  // namespace

bool append_operations(ByteRange bytes, std::vector<Operation>* operations) {
  ByteCursor cursor(bytes);
  while (!cursor.at_end() && operations->size() < kMaxOperations) {
    Operation operation;
    operation.atom = cursor.take<std::uint8_t>();
    const Operand operand = kOperands[operation.atom];
    if (operand == Operand::kUnknown) return false;
    operation.number = take_operand(cursor, operand);
    if (operand == Operand::kUlebAndSleb) operation.number2 = extended(cursor.take_sleb());
    operations->push_back(operation);
  }
  return cursor.ok() && cursor.at_end();
}

}  // namespace mini::unwind
