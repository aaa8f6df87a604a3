// Call frame instructions, as compilers write them, and as they do not.
#include "unwind/cfi_program.h"

#include <dwarf.h>
#include <gtest/gtest.h>

#include "cfi_bytes.h"

namespace mini::unwind {
namespace {

using Kind = RegisterRule::Kind;
constexpr std::size_t kRbx = 3;
constexpr std::size_t kRbp = Registers::kFramePointer;

ByteRange range_of(const CfiBytes& bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return {begin, begin + bytes.size()};
}

/// The rules at an offset in code that begins at kCode.
std::optional<FullRow> run(const CfiBytes& instructions, std::uint64_t offset = 0xff,
                           const CfiBytes& common = kCommonInstructions) {
  FrameEntry frame;
  frame.common.code_alignment = 1;
  frame.common.data_alignment = -8;
  frame.common.return_register = Registers::kInstructionPointer;
  frame.common.instructions = range_of(common);
  frame.begin = kCode;
  frame.end = kCode + 0x100;
  frame.instructions = range_of(instructions);
  return run_cfi_program(frame, section_of(instructions), kCode + offset);
}

/// "rN+OFFSET", or "?" where there is no such CFA.
std::string cfa_of(const std::optional<FullRow>& row) {
  if (!row || row->cfa.kind != Kind::kRegister) return "?";
  return "r" + std::to_string(row->cfa.offset) + "+" + std::to_string(row->cfa_offset);
}

RegisterRule rule_of(std::size_t number, const CfiBytes& instructions) {
  const auto row = run(instructions);
  return row ? row->rules[number] : RegisterRule{Kind::kUndefined, -1, {}};
}

void expect_rule(const RegisterRule& rule, Kind kind, std::int64_t offset) {
  EXPECT_EQ(rule.kind, kind);
  EXPECT_EQ(rule.offset, offset);
}

// push %rbp; mov %rsp, %rbp; …; leave; ret; and more code after the return.
const CfiBytes kFramePointerFunction = {
    0x41, 0x0e, 16,   0x86, 2,  // +1: CFA = rsp + 16, rbp at CFA - 16
    0x43, 0x0d, 6,              // +4: CFA = rbp + 16
    0x02, 0x40, 0x0a,           // +68: remember
    0xc6, 0x0c, 7,    8,        // rbp restored, CFA = rsp + 8
    0x41, 0x0b,                 // +69: as remembered
};

TEST(CfiProgram, FollowsTheInstructionsUpToTheAddress) {
  EXPECT_EQ(cfa_of(run(kFramePointerFunction, 0)), "r7+8");
  EXPECT_EQ(cfa_of(run(kFramePointerFunction, 1)), "r7+16");
  EXPECT_EQ(cfa_of(run(kFramePointerFunction, 4)), "r6+16");
  EXPECT_EQ(cfa_of(run(kFramePointerFunction, 68)), "r7+8");
  EXPECT_EQ(run(kFramePointerFunction, 68)->rules[kRbp].kind, Kind::kKeep);
  EXPECT_EQ(cfa_of(run(kFramePointerFunction, 69)), "r6+16");
  expect_rule(run(kFramePointerFunction, 69)->rules[kRbp], Kind::kMemoryAtCfa, -16);
}

TEST(CfiProgram, EveryRuleOfARegister) {
  expect_rule(rule_of(kRbx, {0x83, 3}), Kind::kMemoryAtCfa, -24);
  expect_rule(rule_of(kRbx, {0x05, 3, 3}), Kind::kMemoryAtCfa, -24);
  expect_rule(rule_of(kRbx, {0x11, 3, 0x7f}), Kind::kMemoryAtCfa, 8);
  expect_rule(rule_of(kRbx, {0x2f, 3, 3}), Kind::kMemoryAtCfa, 24);
  expect_rule(rule_of(kRbx, {0x14, 3, 3}), Kind::kCfaPlus, -24);
  expect_rule(rule_of(kRbx, {0x15, 3, 0x7f}), Kind::kCfaPlus, 8);
  expect_rule(rule_of(kRbx, {0x09, 3, 12}), Kind::kRegister, 12);
  expect_rule(rule_of(kRbx, {0x07, 3}), Kind::kUndefined, 0);
  expect_rule(rule_of(kRbx, {0x83, 3, 0x08, 3}), Kind::kKeep, 0);
  expect_rule(rule_of(kRbx, {0x83, 3, 0x06, 3}), Kind::kKeep, 0);  // as the common ones left it
  expect_rule(rule_of(16, {0x08, 16, 0xd0}), Kind::kMemoryAtCfa, -8);
  expect_rule(rule_of(Registers::kStackPointer, {}), Kind::kCfaPlus, 0);
  EXPECT_FALSE(run({0x09, 3, 17}));  // is in a register that we do not have
}

TEST(CfiProgram, EveryFormOfTheCfa) {
  EXPECT_EQ(cfa_of(run({0x0c, 12, 24})), "r12+24");
  EXPECT_EQ(cfa_of(run({0x12, 12, 0x7d})), "r12+24");
  EXPECT_EQ(cfa_of(run({0x0d, 6})), "r6+8");
  EXPECT_EQ(cfa_of(run({0x0e, 0x80, 0x01})), "r7+128");
  EXPECT_EQ(cfa_of(run({0x13, 0x7e})), "r7+16");
  EXPECT_FALSE(run({0x0c, 17, 0}));
  EXPECT_FALSE(run({}, 0, {0x90, 1}));           // none at all
  EXPECT_FALSE(run({0x0f, 1, 0x96, 0x0e, 16}));  // an offset, but to what?
}

TEST(CfiProgram, Expressions) {
  const auto row = run({0x0f, 3, 0x77, 8, 0x06, 0x10, 3, 2, 0x23, 16, 0x16, 6, 1, 0x30});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->cfa.kind, Kind::kExpressionValue);
  ASSERT_EQ(row->cfa.operations.size(), 2U);
  EXPECT_EQ(row->cfa.operations[0].atom, DW_OP_breg7);
  EXPECT_EQ(row->cfa.operations[0].number, 8U);
  EXPECT_EQ(row->rules[kRbx].kind, Kind::kExpressionMemory);
  ASSERT_EQ(row->rules[kRbx].operations.size(), 2U);
  EXPECT_EQ(row->rules[kRbx].operations[0].atom, DW_OP_call_frame_cfa);
  EXPECT_EQ(row->rules[kRbx].operations[1].number, 16U);
  EXPECT_EQ(row->rules[kRbp].kind, Kind::kExpressionValue);
  EXPECT_FALSE(run({0x0f, 0}));
  EXPECT_FALSE(run({0x0f, 3, 0x2f, 0xfd, 0xff}));  // DW_OP_skip to itself
  EXPECT_FALSE(run({0x10, 3, 5, 0x23, 16}));       // ends behind the instructions
}

TEST(CfiProgram, Advances) {
  const CfiBytes far = {0x03, 0x10, 0, 0x0e, 16, 0x04, 0x10, 0, 0, 0, 0x0e, 24};
  EXPECT_EQ(cfa_of(run(far, 0x0f)), "r7+8");
  EXPECT_EQ(cfa_of(run(far, 0x10)), "r7+16");
  EXPECT_EQ(cfa_of(run(far, 0x20)), "r7+24");
  const CfiBytes set_loc = {0x01, 8, 0, 1, 0, 0, 0, 0, 0, 0x0e, 16};
  EXPECT_EQ(cfa_of(run(set_loc, 7)), "r7+8");
  EXPECT_EQ(cfa_of(run(set_loc, 8)), "r7+16");
  const CfiBytes wraps = {0x1d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0e, 16};
  EXPECT_FALSE(run(wraps));
}

TEST(CfiProgram, RemembersSoManyStatesOnly) {
  CfiBytes instructions(64, 0x0a);
  EXPECT_TRUE(run(instructions));
  instructions.push_back(0x0a);
  EXPECT_FALSE(run(instructions));
  EXPECT_FALSE(run(CfiBytes(1 << 16, 0x0a)));
  EXPECT_FALSE(run({0x0b}));
  EXPECT_FALSE(run({0x0b}, 0xff, {0x0c, 7, 8, 0x90, 1, 0x0a}));  // is not the other program's
}

TEST(CfiProgram, EndsWhereTheInstructionsDoNot) {
  CfiBytes instructions(std::size_t{1} << 21, 0x00);
  EXPECT_FALSE(run(instructions));
}

TEST(CfiProgram, WhatIsNotKnownIsRefused) {
  for (const std::uint8_t instruction : CfiBytes{0x17, 0x1c, 0x2d, 0x30, 0x3f}) {
    EXPECT_FALSE(run({instruction, 0})) << int{instruction};
  }
  EXPECT_TRUE(run({0x2e, 16, 0x00}));  // DW_CFA_GNU_args_size, DW_CFA_nop
}

TEST(CfiProgram, RegistersWithoutRulesAreReadOver) {
  EXPECT_EQ(cfa_of(run({0x05, 17,   2,    0x05, 0xff, 0xff, 0xff, 0xff, 0x7f, 2, 0x91,
                        2,    0xd1, 0x06, 99,   0x16, 99,   1,    0x30, 0x0e, 16})),
            "r7+16");
}

TEST(CfiProgram, CutAnywhere) {
  const CfiBytes whole = {0x0c, 7, 16, 0x10, 3, 2, 0x77, 8, 0x05, 6, 2};
  for (const std::size_t size : {1U, 2U, 4U, 5U, 6U, 7U, 9U, 10U}) {
    EXPECT_FALSE(run({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  }
  EXPECT_TRUE(run(whole));
}

TEST(CfiProgram, TheOutermostFrameNeedsNothingElse) {
  const auto row = run({0x07, 16}, 0, {});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->rules[Registers::kInstructionPointer].kind, Kind::kUndefined);
}

}  // namespace
}  // namespace mini::unwind
