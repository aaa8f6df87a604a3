// Call frame instructions (DWARF 5, §6.4.2), for the three registers that a walk keeps.
#include "unwind/self/cfa_program.h"

#include <array>
#include <cstddef>

#include "unwind/self/cfa_expression.h"

namespace mini::unwind::self {
namespace {

enum Instruction : std::uint8_t {
  kNop = 0x00,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefined = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefCfa = 0x0c,
  kDefCfaRegister = 0x0d,
  kDefCfaOffset = 0x0e,
  kDefCfaExpression = 0x0f,
  kExpression = 0x10,
  kOffsetExtendedSf = 0x11,
  kDefCfaSf = 0x12,
  kDefCfaOffsetSf = 0x13,
  kValOffset = 0x14,
  kValOffsetSf = 0x15,
  kValExpression = 0x16,
  kGnuArgsSize = 0x2e,
  kGnuNegativeOffsetExtended = 0x2f,
};
// The two highest bits of an instruction, where they are not clear; the others are its operand.
constexpr std::uint8_t kAdvance = 1;
constexpr std::uint8_t kOffset = 2;
constexpr std::uint8_t kRestore = 3;

struct RegisterRule {
  enum class Kind : std::uint8_t { kKept, kUndefined, kAtCfa, kAtExpression, kOther };
  Kind kind = Kind::kKept;
  std::int64_t offset = 0;
  ByteRange expression;
};

struct State {
  std::uint64_t cfa_register = 0;
  std::int64_t cfa_offset = 0;
  bool cfa_is_expression = false;
  ByteRange cfa_expression;
  RegisterRule bp;
  RegisterRule return_address;
};

using Kind = RegisterRule::Kind;

// Products of hostile numbers wrap; Row::make refuses what comes of it, or it is an offset that the
// walk finds outside of the stack.
std::int64_t wrapping_product(std::uint64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(a * static_cast<std::uint64_t>(b));
}

class Program {
 public:
  Program(const FrameDescription& frame, std::uintptr_t pc)
      : common_(frame.common), pc_(pc), location_(frame.begin) {}

  /// False where an instruction is not known or the bytes end within one.
  bool run(ByteRange instructions) {
    ByteCursor bytes(instructions);
    while (!bytes.at_end() && known_ && location_ <= pc_) step(bytes);
    return known_ && bytes.ok();
  }
  void set_initial() { initial_ = state_; }
  const State& state() const { return state_; }

 private:
  void step(ByteCursor& bytes) {
    const auto instruction = bytes.take<std::uint8_t>();
    const std::uint8_t operand = instruction & 0x3fU;
    switch (instruction >> 6) {
      case kAdvance:
        return advance(operand);
      case kOffset:
        return set_offset(operand, wrapping_product(bytes.take_uleb(), common_.data_alignment));
      case kRestore:
        return restore(operand);
      default:
        if (!step_location_or_state(instruction, bytes) && !step_cfa(instruction, bytes) &&
            !step_register(instruction, bytes)) {
          known_ = false;
        }
    }
  }

  bool step_location_or_state(std::uint8_t instruction, ByteCursor& bytes) {
    switch (instruction) {
      case kNop:
        return true;
      case kAdvance1:
        return advance(bytes.take<std::uint8_t>()), true;
      case kAdvance2:
        return advance(bytes.take<std::uint16_t>()), true;
      case kAdvance4:
        return advance(bytes.take<std::uint32_t>()), true;
      case kRememberState:
        if (remembered_count_ == remembered_.size()) return false;
        remembered_[remembered_count_++] = state_;
        return true;
      case kRestoreState:
        if (remembered_count_ == 0) return false;
        state_ = remembered_[--remembered_count_];
        return true;
      case kGnuArgsSize:
        return bytes.take_uleb(), true;
      default:
        return false;
    }
  }

  bool step_cfa(std::uint8_t instruction, ByteCursor& bytes) {
    switch (instruction) {
      case kDefCfa:
        set_cfa_register(bytes.take_uleb());
        state_.cfa_offset = static_cast<std::int64_t>(bytes.take_uleb());
        return true;
      case kDefCfaSf:
        set_cfa_register(bytes.take_uleb());
        state_.cfa_offset = take_factored(bytes);
        return true;
      case kDefCfaRegister:
        return set_cfa_register(bytes.take_uleb()), true;
      case kDefCfaOffset:
        state_.cfa_offset = static_cast<std::int64_t>(bytes.take_uleb());
        return true;
      case kDefCfaOffsetSf:
        state_.cfa_offset = take_factored(bytes);
        return true;
      case kDefCfaExpression:
        state_.cfa_is_expression = true;
        state_.cfa_expression = bytes.take_range(bytes.take_uleb());
        return true;
      default:
        return false;
    }
  }

  bool step_register(std::uint8_t instruction, ByteCursor& bytes) {
    const std::uint64_t number = bytes.take_uleb();
    switch (instruction) {
      case kOffsetExtended:
        return set_offset(number, wrapping_product(bytes.take_uleb(), common_.data_alignment)),
               true;
      case kOffsetExtendedSf:
        return set_offset(number, take_factored(bytes)), true;
      case kGnuNegativeOffsetExtended:
        return set_offset(number, wrapping_product(bytes.take_uleb(), -common_.data_alignment)),
               true;
      case kRestoreExtended:
        return restore(number), true;
      case kUndefined:
        return set(number, {Kind::kUndefined, 0, {}}), true;
      case kSameValue:
        return set(number, {}), true;
      case kExpression:
        return set(number, {Kind::kAtExpression, 0, bytes.take_range(bytes.take_uleb())}), true;
      case kRegister:
      case kValOffset:
      case kValOffsetSf:  // as many bytes whether signed or not
        bytes.take_uleb();
        return set(number, {Kind::kOther, 0, {}}), true;
      case kValExpression:
        bytes.take_range(bytes.take_uleb());
        return set(number, {Kind::kOther, 0, {}}), true;
      default:
        return false;
    }
  }

  void advance(std::uint64_t count) {
    std::uint64_t distance = 0;
    if (__builtin_mul_overflow(count, common_.code_alignment, &distance) ||
        __builtin_add_overflow(location_, distance, &location_)) {
      location_ = ~std::uintptr_t{0};
      known_ = known_ && pc_ < location_;
    }
  }

  void set_cfa_register(std::uint64_t number) {
    state_.cfa_is_expression = false;
    state_.cfa_register = number;
  }

  RegisterRule* rule_of(State& state, std::uint64_t number) const {
    if (number == kDwarfBp) return &state.bp;
    return number == common_.return_register ? &state.return_address : nullptr;
  }
  void set(std::uint64_t number, const RegisterRule& rule) {
    if (RegisterRule* const known = rule_of(state_, number)) *known = rule;
  }
  void set_offset(std::uint64_t number, std::int64_t offset) {
    set(number, {Kind::kAtCfa, offset, {}});
  }
  void restore(std::uint64_t number) {
    if (const RegisterRule* const rule = rule_of(initial_, number)) set(number, *rule);
  }

  std::int64_t take_factored(ByteCursor& bytes) const {
    return wrapping_product(static_cast<std::uint64_t>(bytes.take_sleb()), common_.data_alignment);
  }

  const CommonInformation& common_;
  std::uintptr_t pc_;
  std::uintptr_t location_;
  State state_;
  State initial_;                    // after the common instructions: what "restore" goes back to
  std::array<State, 8> remembered_;  // compilers nest one or two
  std::size_t remembered_count_ = 0;
  bool known_ = true;
};

bool is_kernels_signal_frame(const State& state, std::uintptr_t pc) {
  if (!state.cfa_is_expression || state.return_address.kind != Kind::kAtExpression) return false;
  const ExpressionValue cfa = evaluate_expression(state.cfa_expression, pc);
  const ExpressionValue at = evaluate_expression(state.return_address.expression, pc);
  using Base = ExpressionValue::Base;
  return cfa.base == Base::kSp && cfa.dereferenced && cfa.offset == kSignalSp &&
         at.base == Base::kSp && !at.dereferenced && at.offset == kSignalPc;
}

// How the CFA is found, and its offset.
RowKind cfa_of(const State& state, std::uintptr_t pc, std::int64_t* offset) {
  *offset = state.cfa_offset;
  if (!state.cfa_is_expression) {
    if (state.cfa_register == kDwarfSp) return RowKind::kSp;
    return state.cfa_register == kDwarfBp ? RowKind::kBp : RowKind::kUnsupported;
  }
  const ExpressionValue value = evaluate_expression(state.cfa_expression, pc);
  *offset = value.offset;
  if (value.base == ExpressionValue::Base::kSp && !value.dereferenced) return RowKind::kSp;
  if (value.base != ExpressionValue::Base::kBp) return RowKind::kUnsupported;
  return value.dereferenced ? RowKind::kBpDeref : RowKind::kBp;
}

Row row_of(const State& state, std::uintptr_t pc) {
  std::int64_t cfa_offset = 0;
  const RowKind kind = cfa_of(state, pc, &cfa_offset);
  if (kind == RowKind::kUnsupported || state.return_address.kind != Kind::kAtCfa ||
      state.return_address.offset != -8) {
    return Row(RowKind::kUnsupported);
  }
  switch (state.bp.kind) {
    case Kind::kKept:
    case Kind::kUndefined:
      return Row::make(kind, cfa_offset);
    case Kind::kAtCfa:
      return Row::make(kind, cfa_offset, BpRule::kAtCfa, state.bp.offset);
    case Kind::kAtExpression: {
      const ExpressionValue at = evaluate_expression(state.bp.expression, pc);
      if (at.base != ExpressionValue::Base::kBp || at.dereferenced) break;
      return Row::make(kind, cfa_offset, BpRule::kAtBp, at.offset);
    }
    case Kind::kOther:
      break;
  }
  return Row(RowKind::kUnsupported);
}

}  // namespace

Row run_cfa_program(const FrameDescription& frame, std::uintptr_t pc) {
  if (frame.common.return_register != kDwarfReturn) return Row(RowKind::kUnsupported);
  Program program(frame, pc);
  if (!program.run(frame.common.instructions)) return Row(RowKind::kUnsupported);
  program.set_initial();
  if (!program.run(frame.instructions)) return Row(RowKind::kUnsupported);
  const State& state = program.state();
  if (state.return_address.kind == Kind::kUndefined) return Row(RowKind::kOutermost);
  if (frame.common.is_signal_frame) {
    return Row(is_kernels_signal_frame(state, pc) ? RowKind::kSignal : RowKind::kUnsupported);
  }
  return row_of(state, pc);
}

}  // namespace mini::unwind::self
