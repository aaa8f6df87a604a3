// Call frame instructions (DWARF 5, §6.4.2), run up to one address.
#include "unwind/cfi_program.h"

#include <array>
#include <cstddef>
#include <dwarf.h>
#include <vector>

#include "base/checked.h"
#include "unwind/dwarf_operations.h"

namespace mini::unwind {
namespace {

using Kind = RegisterRule::Kind;

// Compilers nest one or two.
constexpr std::size_t kMaxRemembered = 64;
// The longest programs of compilers have some thousands.
constexpr std::size_t kMaxInstructions = 1 << 20;

// The two highest bits of an instruction, where they are not clear; the others are its operand.
constexpr std::uint8_t kHighBits = 0xc0;
constexpr std::uint8_t kLowBits = 0x3f;

struct Rule {
  Kind kind = Kind::kKeep;
  std::int64_t offset = 0;  // or a register
  ByteRange expression;
};

struct State {
  Rule cfa;  // kUndefined, kRegister with `cfa_offset`, or kExpressionValue
  std::int64_t cfa_offset = 0;
  std::array<Rule, Registers::kCount> rules;
};

std::int64_t as_signed(std::uint64_t n) {
  return static_cast<std::int64_t>(n);
}

// Products of hostile numbers wrap: what comes of them is an offset to where no stack is.
std::int64_t wrapping_product(std::uint64_t a, std::int64_t b) {
  return as_signed(a * static_cast<std::uint64_t>(b));
}

/// What holds before the first instruction: by the psABI the CFA is the caller's stack pointer.
State initial_state() {
  State state;
  state.cfa.kind = Kind::kUndefined;
  state.rules[Registers::kStackPointer].kind = Kind::kCfaPlus;
  return state;
}

class Program {
 public:
  Program(const FrameEntry& frame, const CfiSection& section, std::uint64_t address)
      : common_(frame.common), section_(section), address_(address), location_(frame.begin) {}

  /// False where an instruction is not known or the bytes end within one.
  bool run(ByteRange instructions) {
    ByteCursor bytes(instructions);
    while (!bytes.at_end() && location_ <= address_) {
      if (++instructions_count_ > kMaxInstructions || !step(bytes)) return false;
    }
    return bytes.ok();
  }
  void set_initial() {
    initial_ = state_;
    remembered_.clear();
  }
  const State& state() const { return state_; }

 private:
  bool step(ByteCursor& bytes);
  bool step_location_or_state(std::uint8_t instruction, ByteCursor& bytes);
  bool step_cfa(std::uint8_t instruction, ByteCursor& bytes);
  bool step_register(std::uint8_t instruction, ByteCursor& bytes);

  bool advance(std::uint64_t count) {
    const auto distance = checked_multiply(count, common_.code_alignment);
    const auto location = distance ? checked_add(location_, *distance) : std::nullopt;
    if (location) location_ = *location;
    return location.has_value();
  }

  bool set_cfa(std::uint64_t number, std::int64_t offset) {
    state_.cfa = {Kind::kRegister, as_signed(number), {}};
    state_.cfa_offset = offset;
    return true;
  }
  // What changes one half of a register and an offset where there is no such pair: until there is
  // one, the CFA is not known.
  bool set_cfa_register(std::uint64_t number) {
    state_.cfa = {cfa_of_other_half(), as_signed(number), {}};
    return true;
  }
  bool set_cfa_offset(std::int64_t offset) {
    state_.cfa.kind = cfa_of_other_half();
    state_.cfa_offset = offset;
    return true;
  }
  Kind cfa_of_other_half() const {
    return state_.cfa.kind == Kind::kRegister ? Kind::kRegister : Kind::kUndefined;
  }

  // A register that we do not keep has no rule: its number is a hostile one.
  bool set(std::uint64_t number, const Rule& rule) {
    if (number < state_.rules.size()) state_.rules[static_cast<std::size_t>(number)] = rule;
    return true;
  }
  bool set_offset(Kind kind, std::uint64_t number, std::int64_t offset) {
    return set(number, {kind, offset, {}});
  }
  bool restore(std::uint64_t number) {
    return number >= initial_.rules.size() ||
           set(number, initial_.rules[static_cast<std::size_t>(number)]);
  }
  bool remember() {
    if (remembered_.size() == kMaxRemembered) return false;
    remembered_.push_back(state_);
    return true;
  }
  bool restore_remembered() {
    if (remembered_.empty()) return false;
    state_ = remembered_.back();
    remembered_.pop_back();
    return true;
  }

  std::int64_t take_factored(ByteCursor& bytes) const {
    return wrapping_product(bytes.take_uleb(), common_.data_alignment);
  }
  std::int64_t take_signed_factored(ByteCursor& bytes) const {
    return wrapping_product(static_cast<std::uint64_t>(bytes.take_sleb()), common_.data_alignment);
  }

  const CommonEntry& common_;
  const CfiSection& section_;
  std::uint64_t address_;
  std::uint64_t location_;
  State state_ = initial_state();
  State initial_ = state_;  // after the common instructions: what "restore" goes back to
  std::vector<State> remembered_;
  std::size_t instructions_count_ = 0;
};

bool Program::step(ByteCursor& bytes) {
  const auto instruction = bytes.take<std::uint8_t>();
  const std::uint8_t operand = instruction & kLowBits;
  switch (instruction & kHighBits) {
    case DW_CFA_advance_loc:
      return advance(operand);
    case DW_CFA_offset:
      return set_offset(Kind::kMemoryAtCfa, operand, take_factored(bytes));
    case DW_CFA_restore:
      return restore(operand);
    default:
      return step_location_or_state(instruction, bytes);
  }
}

bool Program::step_location_or_state(std::uint8_t instruction, ByteCursor& bytes) {
  switch (instruction) {
    case DW_CFA_nop:
      return true;
    case DW_CFA_set_loc:
      return take_pointer(bytes, common_.pointer_encoding, section_, &location_);
    case DW_CFA_advance_loc1:
      return advance(bytes.take<std::uint8_t>());
    case DW_CFA_advance_loc2:
      return advance(bytes.take<std::uint16_t>());
    case DW_CFA_advance_loc4:
      return advance(bytes.take<std::uint32_t>());
    case DW_CFA_MIPS_advance_loc8:
      return advance(bytes.take<std::uint64_t>());
    case DW_CFA_remember_state:
      return remember();
    case DW_CFA_restore_state:
      return restore_remembered();
    case DW_CFA_GNU_args_size:
      bytes.take_uleb();
      return true;
    default:
      return step_cfa(instruction, bytes);
  }
}

bool Program::step_cfa(std::uint8_t instruction, ByteCursor& bytes) {
  switch (instruction) {
    case DW_CFA_def_cfa: {
      const std::uint64_t number = bytes.take_uleb();
      return set_cfa(number, as_signed(bytes.take_uleb()));
    }
    case DW_CFA_def_cfa_sf: {
      const std::uint64_t number = bytes.take_uleb();
      return set_cfa(number, take_signed_factored(bytes));
    }
    case DW_CFA_def_cfa_register:
      return set_cfa_register(bytes.take_uleb());
    case DW_CFA_def_cfa_offset:
      return set_cfa_offset(as_signed(bytes.take_uleb()));
    case DW_CFA_def_cfa_offset_sf:
      return set_cfa_offset(take_signed_factored(bytes));
    case DW_CFA_def_cfa_expression:
      state_.cfa = {Kind::kExpressionValue, 0, bytes.take_range(bytes.take_uleb())};
      return true;
    default:
      return step_register(instruction, bytes);
  }
}

bool Program::step_register(std::uint8_t instruction, ByteCursor& bytes) {
  const std::uint64_t number = bytes.take_uleb();
  switch (instruction) {
    case DW_CFA_undefined:
      return set(number, {Kind::kUndefined, 0, {}});
    case DW_CFA_same_value:
      return set(number, {});
    case DW_CFA_offset_extended:
      return set_offset(Kind::kMemoryAtCfa, number, take_factored(bytes));
    case DW_CFA_offset_extended_sf:
      return set_offset(Kind::kMemoryAtCfa, number, take_signed_factored(bytes));
    case DW_CFA_GNU_negative_offset_extended:
      return set_offset(
          Kind::kMemoryAtCfa, number,
          wrapping_product(std::uint64_t{0} - bytes.take_uleb(), common_.data_alignment));
    case DW_CFA_val_offset:
      return set_offset(Kind::kCfaPlus, number, take_factored(bytes));
    case DW_CFA_val_offset_sf:
      return set_offset(Kind::kCfaPlus, number, take_signed_factored(bytes));
    case DW_CFA_register:
      return set_offset(Kind::kRegister, number, as_signed(bytes.take_uleb()));
    case DW_CFA_expression:
      return set(number, {Kind::kExpressionMemory, 0, bytes.take_range(bytes.take_uleb())});
    case DW_CFA_val_expression:
      return set(number, {Kind::kExpressionValue, 0, bytes.take_range(bytes.take_uleb())});
    case DW_CFA_restore_extended:
      return restore(number);
    default:
      return false;
  }
}

bool is_kept(std::int64_t number) {
  return number >= 0 && number < std::int64_t{Registers::kCount};
}

bool set_rule(const Rule& rule, RegisterRule* out) {
  out->kind = rule.kind;
  out->offset = rule.offset;
  if (rule.kind == Kind::kRegister) return is_kept(rule.offset);
  if (rule.kind != Kind::kExpressionMemory && rule.kind != Kind::kExpressionValue) return true;
  out->operations = {{DW_OP_call_frame_cfa, 0, 0}};  // is there before the first operation
  return append_operations(rule.expression, &out->operations);
}

bool set_cfa_rule(const State& state, FullRow* row) {
  row->cfa.kind = state.cfa.kind;
  row->cfa.offset = state.cfa.offset;
  row->cfa_offset = state.cfa_offset;
  if (state.cfa.kind == Kind::kRegister) return is_kept(state.cfa.offset);
  return state.cfa.kind == Kind::kExpressionValue &&
         append_operations(state.cfa.expression, &row->cfa.operations) &&
         !row->cfa.operations.empty();
}

}  // namespace

std::optional<FullRow> run_cfi_program(const FrameEntry& frame, const CfiSection& section,
                                       std::uint64_t address) {
  if (frame.common.return_register != Registers::kInstructionPointer) return std::nullopt;
  Program program(frame, section, address);
  if (!program.run(frame.common.instructions)) return std::nullopt;
  program.set_initial();
  if (!program.run(frame.instructions)) return std::nullopt;
  const State& state = program.state();
  FullRow row;
  row.rules[Registers::kInstructionPointer].kind = state.rules[Registers::kInstructionPointer].kind;
  if (row.rules[Registers::kInstructionPointer].kind == Kind::kUndefined) return row;
  if (!set_cfa_rule(state, &row)) return std::nullopt;
  for (std::size_t i = 0; i < row.rules.size(); ++i) {
    if (!set_rule(state.rules[i], &row.rules[i])) return std::nullopt;
  }
  return row;
}

}  // namespace mini::unwind
