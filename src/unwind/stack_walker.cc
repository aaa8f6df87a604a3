// One step outwards: from a frame's registers to its caller's.
#include "unwind/stack_walker.h"

#include <optional>

namespace mini::unwind {
namespace {

constexpr std::uint64_t sign_extended(std::int64_t n) {
  return static_cast<std::uint64_t>(n);
}

Step step_compact(const UnwindRow& row, const Registers& inner, StackMemory& memory,
                  Registers* outer) {
  const std::uint64_t cfa = inner.value[row.cfa_register] + sign_extended(row.cfa_offset);
  const auto return_address = memory.word(cfa + sign_extended(row.return_offset));
  if (!return_address) return Step::kUnreadable;
  *outer = inner;
  for (std::size_t i = 0; i < row.saved_offset.size(); ++i) {
    if (row.saved_offset[i] == UnwindRow::kNotSaved) continue;
    const auto saved = memory.word(cfa + sign_extended(row.saved_offset[i]));
    if (!saved) return Step::kUnreadable;
    outer->value[UnwindRow::kSavedRegisters[i]] = *saved;
  }
  outer->value[Registers::kStackPointer] = cfa;
  outer->value[Registers::kInstructionPointer] = *return_address;
  return Step::kStepped;
}

Step apply_rule(const RegisterRule& rule, const Registers& inner, std::uint64_t cfa,
                StackMemory& memory, std::uint64_t* value) {
  std::optional<std::uint64_t> result;
  switch (rule.kind) {
    case RegisterRule::Kind::kKeep:
    case RegisterRule::Kind::kUndefined:
      return Step::kStepped;
    case RegisterRule::Kind::kMemoryAtCfa:
      result = memory.word(cfa + sign_extended(rule.offset));
      break;
    case RegisterRule::Kind::kCfaPlus:
      result = cfa + sign_extended(rule.offset);
      break;
    case RegisterRule::Kind::kRegister:
      result = inner.value[static_cast<std::size_t>(rule.offset)];
      break;
    case RegisterRule::Kind::kExpressionMemory:
    case RegisterRule::Kind::kExpressionValue:
      result = evaluate(rule.operations, inner, cfa, memory);
      if (!result) return Step::kNoRule;
      if (rule.kind == RegisterRule::Kind::kExpressionMemory) result = memory.word(*result);
      break;
  }
  if (!result) return Step::kUnreadable;
  *value = *result;
  return Step::kStepped;
}

Step step_full(const FullRow& row, const Registers& inner, StackMemory& memory, Registers* outer) {
  std::uint64_t cfa = 0;
  if (row.cfa.kind == RegisterRule::Kind::kRegister) {
    cfa = inner.value[static_cast<std::size_t>(row.cfa.offset)] + sign_extended(row.cfa_offset);
  } else {
    const auto value = evaluate(row.cfa.operations, inner, std::nullopt, memory);
    if (!value) return Step::kNoRule;
    cfa = *value;
  }
  *outer = inner;
  outer->value[Registers::kStackPointer] = cfa;
  for (std::size_t i = 0; i < row.rules.size(); ++i) {
    const Step step = apply_rule(row.rules[i], inner, cfa, memory, &outer->value[i]);
    if (step != Step::kStepped) return step;
  }
  return Step::kStepped;
}

}  // namespace

Step step_by_row(const UnwindRow& row, const Registers& inner, StackMemory& memory,
                 Registers* outer) {
  switch (row.kind) {
    case UnwindRow::Kind::kNone:
      return Step::kNoRule;
    case UnwindRow::Kind::kOutermost:
      return Step::kOutermost;
    case UnwindRow::Kind::kCut:
      return Step::kCut;
    case UnwindRow::Kind::kCompact:
      return step_compact(row, inner, memory, outer);
    case UnwindRow::Kind::kFull:
      return step_full(*row.full, inner, memory, outer);
  }
  return Step::kNoRule;
}

Step step_by_frame_pointer(const Registers& inner, StackMemory& memory, Registers* outer) {
  const std::uint64_t frame = inner.value[Registers::kFramePointer];
  if (frame < inner.value[Registers::kStackPointer] || frame % 8 != 0) return Step::kNoRule;
  const auto saved = memory.word(frame);
  const auto return_address = memory.word(frame + 8);
  if (!saved || !return_address) return Step::kNoRule;  // not a frame pointer after all
  *outer = inner;
  outer->value[Registers::kFramePointer] = *saved;
  outer->value[Registers::kStackPointer] = frame + 16;
  outer->value[Registers::kInstructionPointer] = *return_address;
  return Step::kStepped;
}

Step step_by_signal_frame(const Registers& inner, StackMemory& memory, Registers* outer) {
  // struct ucontext: flags, link, stack (3 words), then struct sigcontext_64; Linux,
  // arch/x86/include/uapi/asm/{ucontext.h,sigcontext.h}. DWARF numbers in sigcontext's order.
  constexpr std::uint64_t kSigcontext = 40;
  constexpr std::array<std::uint8_t, 17> kOrder{8, 9, 10, 11, 12, 13, 14, 15, 5,
                                                4, 6, 3,  1,  0,  2,  7,  16};
  const std::uint64_t context = inner.value[Registers::kStackPointer] + kSigcontext;
  *outer = inner;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const auto value = memory.word(context + 8 * i);
    if (!value) return Step::kUnreadable;
    outer->value[kOrder[i]] = *value;
  }
  return Step::kStepped;
}

}  // namespace mini::unwind
