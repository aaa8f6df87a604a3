// Call frame instructions and expressions, as compilers, linkers and the C library write them.
#include "unwind/self/cfa_program.h"

#include <gtest/gtest.h>

#include "eh_frame_bytes.h"
#include "unwind/self/cfa_expression.h"

namespace mini::unwind::self {
namespace {

ByteRange range_of(const Bytes& bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return {begin, begin + bytes.size()};
}

/// The row at `pc` of code that begins at 0x1000.
Row row_of(const Bytes& instructions, std::uintptr_t pc = 0x10ff, bool is_signal_frame = false) {
  static const Bytes common = {0x0c, 7, 8, 0x90, 1};
  FrameDescription frame;
  frame.common = {.code_alignment = 1,
                  .data_alignment = -8,
                  .return_register = 16,
                  .is_signal_frame = is_signal_frame,
                  .instructions = range_of(common)};
  frame.begin = 0x1000;
  frame.end = 0x1100;
  frame.instructions = range_of(instructions);
  return run_cfa_program(frame, pc);
}

// push %rbp; mov %rsp, %rbp; …; leave; ret; and more code after the return.
const Bytes kFramePointerFunction = {
    0x41, 0x0e, 16,   0x86, 2,  // +1: CFA = rsp + 16, rbp at CFA - 16
    0x43, 0x0d, 6,              // +4: CFA = rbp + 16
    0x02, 0x40, 0x0a,           // +68: remember
    0xc6, 0x0c, 7,    8,        // rbp restored, CFA = rsp + 8
    0x41, 0x0b,                 // +69: as remembered
};

TEST(CfaProgramTest, FollowsTheInstructionsUpToTheAddress) {
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1000), Row::make(RowKind::kSp, 8));
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1001),
            Row::make(RowKind::kSp, 16, BpRule::kAtCfa, -16));
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1003),
            Row::make(RowKind::kSp, 16, BpRule::kAtCfa, -16));
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1004),
            Row::make(RowKind::kBp, 16, BpRule::kAtCfa, -16));
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1044), Row::make(RowKind::kSp, 8));
  EXPECT_EQ(row_of(kFramePointerFunction, 0x1045),
            Row::make(RowKind::kBp, 16, BpRule::kAtCfa, -16));
}

TEST(CfaProgramTest, OtherRegistersDoNotMatter) {
  EXPECT_EQ(row_of({0x83, 3, 0x8c, 4, 0x05, 13, 5, 0x0e, 64}), Row::make(RowKind::kSp, 64));
  EXPECT_EQ(row_of({0x0c, 10, 0}).kind(), RowKind::kUnsupported);  // a CFA of r10
}

// GCC's realigned frames: CFA = *(rbp - 8), rbp saved where rbp points at.
TEST(CfaProgramTest, RealignedFrame) {
  EXPECT_EQ(row_of({0x10, 6, 2, 0x76, 0, 0x0f, 3, 0x76, 0x78, 0x06}),
            Row::make(RowKind::kBpDeref, -8, BpRule::kAtBp, 0));
}

// DW_OP_breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus.
const Bytes kLinkageTable = {0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};

TEST(CfaProgramTest, ProcedureLinkageTable) {
  EXPECT_EQ(row_of(kLinkageTable, 0x1010), Row::make(RowKind::kSp, 8));
  EXPECT_EQ(row_of(kLinkageTable, 0x101a), Row::make(RowKind::kSp, 8));
  EXPECT_EQ(row_of(kLinkageTable, 0x101b), Row::make(RowKind::kSp, 16));
}

// glibc's __restore_rt: CFA = *(rsp + 160), return address at rsp + 168.
TEST(CfaProgramTest, SignalTrampoline) {
  const Bytes rules = {0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 16, 3, 0x77, 0xa8, 0x01};
  EXPECT_EQ(row_of(rules, 0x1000, true).kind(), RowKind::kSignal);
  EXPECT_EQ(row_of(rules, 0x1000, false).kind(), RowKind::kUnsupported);
  EXPECT_EQ(row_of({0x0e, 16}, 0x1000, true).kind(), RowKind::kUnsupported);
}

TEST(CfaProgramTest, TheOutermostFrameHasNoReturnAddress) {
  EXPECT_EQ(row_of({0x07, 16}).kind(), RowKind::kOutermost);
}

TEST(CfaProgramTest, RulesThatAreNotFollowed) {
  EXPECT_EQ(row_of({0x09, 6, 3}).kind(), RowKind::kUnsupported);     // rbp is in rbx
  EXPECT_EQ(row_of({0x14, 6, 2}).kind(), RowKind::kUnsupported);     // rbp is CFA - 16 itself
  EXPECT_EQ(row_of({0x90, 2}).kind(), RowKind::kUnsupported);        // return address at CFA - 16
  EXPECT_EQ(row_of({0x3f}).kind(), RowKind::kUnsupported);           // no such instruction
  EXPECT_EQ(row_of({0x0b}).kind(), RowKind::kUnsupported);           // nothing was remembered
  EXPECT_EQ(row_of(Bytes(20, 0x0a)).kind(), RowKind::kUnsupported);  // remembered too often
  EXPECT_EQ(row_of({0x0e}).kind(), RowKind::kUnsupported);           // cut short
  EXPECT_EQ(row_of({0x0f, 200, 0x77}).kind(), RowKind::kUnsupported);
  EXPECT_EQ(row_of({0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}).kind(), RowKind::kUnsupported);
}

TEST(CfaExpressionTest, SumsOfARegisterAndANumber) {
  using Base = ExpressionValue::Base;
  const auto value = [](const Bytes& operations) {
    return evaluate_expression(range_of(operations), 0x1000);
  };
  EXPECT_EQ(value({0x77, 0x10}).base, Base::kSp);
  EXPECT_EQ(value({0x77, 0x10, 0x23, 0x20}).offset, 0x30);
  EXPECT_EQ(value({0x38, 0x76, 0, 0x22}).base, Base::kBp);  // 8 + rbp
  EXPECT_EQ(value({0x76, 0, 0x38, 0x1c}).offset, -8);       // rbp - 8
  EXPECT_EQ(value({0x0a, 0x34, 0x12}).offset, 0x1234);
  EXPECT_EQ(value({0x09, 0xff}).offset, -1);
  EXPECT_TRUE(value({0x76, 8, 0x06}).dereferenced);
  const Bytes unknown[] = {{},
                           {0x22},
                           {0x77, 0, 0x77, 0, 0x22},
                           {0x76, 0, 0x06, 0x06},
                           {0x72, 0},
                           {0x77},
                           {0x30, 0x30},
                           {0x76, 0, 0x31, 0x24},
                           {0xff},
                           {0x30, 0x06},
                           Bytes(9, 0x30),
                           {0x76, 0, 0x06, 0x31, 0x22}};
  for (const Bytes& operations : unknown) EXPECT_EQ(value(operations).base, Base::kUnknown);
}

}  // namespace
}  // namespace mini::unwind::self
