// Single steps by hand-made rows over a fake stack.
#include "unwind/stack_walker.h"

#include <dwarf.h>
#include <gtest/gtest.h>

#include "fake_memory.h"

namespace mini::unwind {
namespace {

constexpr std::uint64_t kStack = 0x7000'0000'0000;

class StackWalkerTest : public testing::Test {
 protected:
  StackWalkerTest() {
    memory_.map(kStack, 4096);
    stack_.reset(kStack, memory_, 1 << 16);
    inner_.value[Registers::kStackPointer] = kStack;
    inner_.value[Registers::kFramePointer] = kStack + 0x100;
    inner_.value[3] = 33;
  }

  FakeMemory memory_;
  StackMemory stack_;
  Registers inner_;
  Registers outer_;
};

TEST_F(StackWalkerTest, CompactRowRestoresWhatItSaved) {
  UnwindRow row;
  row.kind = UnwindRow::Kind::kCompact;
  row.cfa_register = Registers::kStackPointer;
  row.cfa_offset = 48;
  row.return_offset = -8;
  row.saved_offset[1] = -16;  // rbp
  memory_.write(kStack + 40, 0x401000);
  memory_.write(kStack + 32, 0xabc);
  ASSERT_EQ(step_by_row(row, inner_, stack_, &outer_), Step::kStepped);
  EXPECT_EQ(outer_.value[Registers::kInstructionPointer], 0x401000U);
  EXPECT_EQ(outer_.value[Registers::kStackPointer], kStack + 48);
  EXPECT_EQ(outer_.value[Registers::kFramePointer], 0xabcU);
  EXPECT_EQ(outer_.value[3], 33U);
}

TEST_F(StackWalkerTest, CompactRowOverUnreadableStack) {
  UnwindRow row;
  row.kind = UnwindRow::Kind::kCompact;
  row.cfa_register = Registers::kStackPointer;
  row.cfa_offset = 8192;
  row.return_offset = -8;
  EXPECT_EQ(step_by_row(row, inner_, stack_, &outer_), Step::kUnreadable);
}

TEST_F(StackWalkerTest, FullRowKnowsEveryKindOfRule) {
  using Kind = RegisterRule::Kind;
  FullRow full;
  full.cfa = {Kind::kExpressionValue, 0, {{DW_OP_breg7, 64, 0}}};
  full.rules[0] = {Kind::kRegister, 3, {}};
  full.rules[1] = {Kind::kCfaPlus, 5, {}};
  full.rules[3] = {Kind::kMemoryAtCfa, -24, {}};
  full.rules[12] = {Kind::kExpressionMemory, 0, {{DW_OP_breg7, 8, 0}}};
  full.rules[13] = {Kind::kExpressionValue, 0, {{DW_OP_lit7, 0, 0}}};
  full.rules[16] = {Kind::kMemoryAtCfa, -8, {}};
  UnwindRow row;
  row.kind = UnwindRow::Kind::kFull;
  row.full = &full;
  ASSERT_EQ(step_by_row(row, inner_, stack_, &outer_), Step::kStepped);
  EXPECT_EQ(outer_.value[0], 33U);
  EXPECT_EQ(outer_.value[1], kStack + 69);
  EXPECT_EQ(outer_.value[3], kStack + 40);
  EXPECT_EQ(outer_.value[12], kStack + 8);
  EXPECT_EQ(outer_.value[13], 7U);
  EXPECT_EQ(outer_.value[16], kStack + 56);
  EXPECT_EQ(outer_.value[Registers::kStackPointer], kStack + 64);
}

TEST_F(StackWalkerTest, FullRowWithABadExpressionHasNoRule) {
  FullRow full;
  full.cfa = {RegisterRule::Kind::kExpressionValue, 0, {{DW_OP_plus, 0, 0}}};
  UnwindRow row;
  row.kind = UnwindRow::Kind::kFull;
  row.full = &full;
  EXPECT_EQ(step_by_row(row, inner_, stack_, &outer_), Step::kNoRule);
}

TEST_F(StackWalkerTest, FramePointerMustBeAlignedAndNotBelowTheStackPointer) {
  EXPECT_EQ(step_by_frame_pointer(inner_, stack_, &outer_), Step::kStepped);
  EXPECT_EQ(outer_.value[Registers::kInstructionPointer], kStack + 0x108);
  EXPECT_EQ(outer_.value[Registers::kStackPointer], kStack + 0x110);
  inner_.value[Registers::kFramePointer] = kStack + 0x101;
  EXPECT_EQ(step_by_frame_pointer(inner_, stack_, &outer_), Step::kNoRule);
  inner_.value[Registers::kFramePointer] = kStack - 8;
  EXPECT_EQ(step_by_frame_pointer(inner_, stack_, &outer_), Step::kNoRule);
  inner_.value[Registers::kFramePointer] = kStack + 4096;
  EXPECT_EQ(step_by_frame_pointer(inner_, stack_, &outer_), Step::kNoRule);
}

TEST_F(StackWalkerTest, SignalFrameRestoresAllRegisters) {
  ASSERT_EQ(step_by_signal_frame(inner_, stack_, &outer_), Step::kStepped);
  EXPECT_EQ(outer_.value[8], kStack + 40);  // r8 is the first of struct sigcontext
  EXPECT_EQ(outer_.value[Registers::kStackPointer], kStack + 40 + 8 * 15);
  EXPECT_EQ(outer_.value[Registers::kInstructionPointer], kStack + 40 + 8 * 16);
}

}  // namespace
}  // namespace mini::unwind
