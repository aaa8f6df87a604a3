// DWARF expressions of call frame information, real ones and malformed ones.
#include "unwind/expression.h"

#include <dwarf.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "fake_memory.h"

namespace mini::unwind {
namespace {

constexpr std::uint64_t kStack = 0x7000'0000'0000;

class ExpressionTest : public testing::Test {
 protected:
  ExpressionTest() {
    memory_.map(kStack, 4096);
    stack_.reset(kStack, memory_, 1 << 16);
    registers_.value[Registers::kStackPointer] = kStack;
  }
  std::optional<std::uint64_t> run(const std::vector<Operation>& operations,
                                   std::optional<std::uint64_t> cfa = {}) {
    return evaluate(operations, registers_, cfa, stack_);
  }

  FakeMemory memory_;
  StackMemory stack_;
  Registers registers_;
};

TEST_F(ExpressionTest, ComputesTheCfaOfAPltEntry) {
  // What GNU ld writes for .plt: rsp + 8 + ((rip & 15) >= 11) * 8
  const std::vector<Operation> plt{{DW_OP_breg7, 8, 0}, {DW_OP_breg16, 0, 0}, {DW_OP_lit15, 0, 0},
                                   {DW_OP_and, 0, 0},   {DW_OP_lit11, 0, 0},  {DW_OP_ge, 0, 0},
                                   {DW_OP_lit3, 0, 0},  {DW_OP_shl, 0, 0},    {DW_OP_plus, 0, 0}};
  registers_.value[Registers::kInstructionPointer] = 0x401026;
  EXPECT_EQ(run(plt), kStack + 8);
  registers_.value[Registers::kInstructionPointer] = 0x40102b;
  EXPECT_EQ(run(plt), kStack + 16);
}

TEST_F(ExpressionTest, ReadsTheStack) {
  EXPECT_EQ(run({{DW_OP_breg7, 160, 0}, {DW_OP_deref, 0, 0}}), kStack + 160);
  EXPECT_EQ(run({{DW_OP_breg7, 160, 0}, {DW_OP_deref_size, 2, 0}}), 160U);
}

TEST_F(ExpressionTest, FailsOnUnreadableMemory) {
  EXPECT_FALSE(run({{DW_OP_constu, 0x1000, 0}, {DW_OP_deref, 0, 0}}));
}

TEST_F(ExpressionTest, KnowsTheCfaOnlyWhereThereIsOne) {
  EXPECT_FALSE(run({{DW_OP_call_frame_cfa, 0, 0}}));
  EXPECT_EQ(run({{DW_OP_call_frame_cfa, 0, 0}, {DW_OP_plus_uconst, 8, 0}}, 100), 108U);
}

TEST_F(ExpressionTest, RefusesUnderflow) {
  for (const std::uint8_t atom : {DW_OP_plus, DW_OP_dup, DW_OP_over, DW_OP_drop, DW_OP_swap,
                                  DW_OP_rot, DW_OP_neg, DW_OP_deref, DW_OP_eq, DW_OP_shl}) {
    EXPECT_FALSE(run({{atom, 0, 0}})) << int{atom};
  }
  EXPECT_FALSE(run({{DW_OP_lit1, 0, 0}, {DW_OP_pick, 1, 0}}));
  EXPECT_FALSE(run({}));
}

TEST_F(ExpressionTest, RefusesOverflow) {
  EXPECT_FALSE(run(std::vector<Operation>(100, {DW_OP_lit1, 0, 0})));
}

TEST_F(ExpressionTest, RefusesUnknownRegistersAndOperations) {
  EXPECT_FALSE(run({{DW_OP_breg17, 0, 0}}));
  EXPECT_FALSE(run({{DW_OP_bregx, 1000, 0}}));
  EXPECT_FALSE(run({{DW_OP_lit1, 0, 0}, {DW_OP_bra, 0, 0}}));
  EXPECT_FALSE(run({{DW_OP_fbreg, 0, 0}}));
}

TEST_F(ExpressionTest, DividesWithoutTrapping) {
  const auto smallest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(run({{DW_OP_lit1, 0, 0}, {DW_OP_lit0, 0, 0}, {DW_OP_div, 0, 0}}));
  EXPECT_FALSE(run({{DW_OP_lit1, 0, 0}, {DW_OP_lit0, 0, 0}, {DW_OP_mod, 0, 0}}));
  EXPECT_EQ(
      run({{DW_OP_constu, smallest, 0}, {DW_OP_consts, ~std::uint64_t{0}, 0}, {DW_OP_div, 0, 0}}),
      smallest);
}

TEST_F(ExpressionTest, ShiftsAndCompares) {
  EXPECT_EQ(run({{DW_OP_lit1, 0, 0}, {DW_OP_constu, 64, 0}, {DW_OP_shl, 0, 0}}), 0U);
  EXPECT_EQ(run({{DW_OP_consts, ~std::uint64_t{0}, 0}, {DW_OP_constu, 99, 0}, {DW_OP_shra, 0, 0}}),
            ~std::uint64_t{0});
  EXPECT_EQ(run({{DW_OP_consts, ~std::uint64_t{0}, 0}, {DW_OP_lit1, 0, 0}, {DW_OP_lt, 0, 0}}), 1U);
  EXPECT_EQ(run({{DW_OP_lit1, 0, 0}, {DW_OP_lit2, 0, 0}, {DW_OP_lit3, 0, 0}, {DW_OP_rot, 0, 0}}),
            2U);
}

}  // namespace
}  // namespace mini::unwind
