// The bytes of expressions.
#include "unwind/dwarf_operations.h"

#include <dwarf.h>
#include <gtest/gtest.h>

#include "cfi_bytes.h"

namespace mini::unwind {
namespace {

std::optional<std::vector<Operation>> operations_of(const CfiBytes& bytes) {
  const CfiBytes exact(bytes.begin(), bytes.end());
  const auto begin = reinterpret_cast<std::uintptr_t>(exact.data());
  std::vector<Operation> operations;
  if (!append_operations({begin, begin + exact.size()}, &operations)) return std::nullopt;
  return operations;
}

std::uint64_t operand_of(const CfiBytes& bytes) {
  const auto operations = operations_of(bytes);
  EXPECT_TRUE(operations && operations->size() == 1) << int{bytes[0]};
  return operations && operations->size() == 1 ? operations->front().number : 12345;
}

TEST(DwarfOperations, EveryKindOfOperand) {
  constexpr auto kMinusOne = ~std::uint64_t{0};
  EXPECT_EQ(operand_of({DW_OP_lit31}), 0U);
  EXPECT_EQ(operand_of({DW_OP_const1u, 0xff}), 0xffU);
  EXPECT_EQ(operand_of({DW_OP_const1s, 0xff}), kMinusOne);
  EXPECT_EQ(operand_of({DW_OP_const2u, 0xff, 0xff}), 0xffffU);
  EXPECT_EQ(operand_of({DW_OP_const2s, 0xff, 0xff}), kMinusOne);
  EXPECT_EQ(operand_of({DW_OP_const4u, 0xff, 0xff, 0xff, 0xff}), 0xffffffffU);
  EXPECT_EQ(operand_of({DW_OP_const4s, 0xff, 0xff, 0xff, 0xff}), kMinusOne);
  EXPECT_EQ(operand_of({DW_OP_const8s, 1, 0, 0, 0, 0, 0, 0, 1}), (std::uint64_t{1} << 56) + 1);
  EXPECT_EQ(operand_of({DW_OP_addr, 1, 0, 0, 0, 0, 0, 0, 1}), (std::uint64_t{1} << 56) + 1);
  EXPECT_EQ(operand_of({DW_OP_constu, 0x80, 0x01}), 128U);
  EXPECT_EQ(operand_of({DW_OP_consts, 0x7f}), kMinusOne);
  EXPECT_EQ(operand_of({DW_OP_breg7, 0x7f}), kMinusOne);
  EXPECT_EQ(operand_of({DW_OP_plus_uconst, 0x7f}), 0x7fU);
  EXPECT_EQ(operand_of({DW_OP_deref_size, 4}), 4U);
  const auto bregx = operations_of({DW_OP_bregx, 7, 0x78, DW_OP_deref});
  ASSERT_TRUE(bregx && bregx->size() == 2);
  EXPECT_EQ((*bregx)[0].number, 7U);
  EXPECT_EQ((*bregx)[0].number2, ~std::uint64_t{7});
  EXPECT_EQ((*bregx)[1].atom, DW_OP_deref);
}

TEST(DwarfOperations, RefusesWhatIsCutOrUnknown) {
  EXPECT_FALSE(operations_of({DW_OP_const4u, 1, 2, 3}));
  EXPECT_FALSE(operations_of({DW_OP_constu, 0x80}));
  EXPECT_FALSE(operations_of({DW_OP_bregx, 7}));
  for (const std::uint8_t atom :
       CfiBytes{0x00, DW_OP_bra, DW_OP_skip, DW_OP_fbreg, DW_OP_piece, 0xff}) {
    EXPECT_FALSE(operations_of({DW_OP_lit1, atom, 0, 0})) << int{atom};
  }
}

TEST(DwarfOperations, RefusesTooMany) {
  EXPECT_TRUE(operations_of(CfiBytes(64, DW_OP_nop)));
  EXPECT_FALSE(operations_of(CfiBytes(65, DW_OP_nop)));
}

}  // namespace
}  // namespace mini::unwind
