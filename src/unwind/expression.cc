// Evaluates the DWARF expressions that occur in call frame information.
#include "unwind/expression.h"

#include <array>
#include <cstddef>
#include <dwarf.h>

namespace mini::unwind {
namespace {

// psABI expressions need 3 values at most; more than 64 is not a real one.
constexpr std::size_t kMaxDepth = 64;

class Evaluator {
 public:
  Evaluator(const Registers& registers, std::optional<std::uint64_t> cfa, StackMemory& memory)
      : registers_(registers), cfa_(cfa), memory_(memory) {}

  bool run(const Operation& op);
  std::optional<std::uint64_t> top() const {
    if (depth_ == 0) return std::nullopt;
    return values_[depth_ - 1];
  }

 private:
  bool push(std::uint64_t value) {
    if (depth_ == kMaxDepth) return false;
    values_[depth_++] = value;
    return true;
  }
  bool push_register(std::uint64_t number, std::uint64_t offset) {
    if (number >= Registers::kCount) return false;
    return push(registers_.value[static_cast<std::size_t>(number)] + offset);
  }
  bool push_copy(std::uint64_t index_from_top) {
    if (index_from_top >= depth_) return false;
    return push(values_[depth_ - 1 - static_cast<std::size_t>(index_from_top)]);
  }
  bool dereference(std::uint64_t size);
  bool rearrange(std::uint8_t atom);
  bool unary(const Operation& op);
  bool binary(std::uint8_t atom);

  const Registers& registers_;
  std::optional<std::uint64_t> cfa_;
  StackMemory& memory_;
  std::array<std::uint64_t, kMaxDepth> values_{};
  std::size_t depth_ = 0;
};

bool Evaluator::dereference(std::uint64_t size) {
  if (depth_ == 0 || size == 0 || size > 8) return false;
  const auto word = memory_.word(values_[depth_ - 1]);
  if (!word) return false;
  const std::uint64_t mask =
      size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (size * 8)) - 1;  // little-endian
  values_[depth_ - 1] = *word & mask;
  return true;
}

bool Evaluator::rearrange(std::uint8_t atom) {
  const std::size_t needed = atom == DW_OP_drop ? 1 : atom == DW_OP_swap ? 2 : 3;
  if (depth_ < needed) return false;
  auto* top = &values_[depth_ - 1];
  if (atom == DW_OP_drop) {
    --depth_;
  } else if (atom == DW_OP_swap) {
    std::swap(top[0], top[-1]);
  } else {  // DW_OP_rot: the top becomes the third
    const std::uint64_t first = top[0];
    top[0] = top[-1];
    top[-1] = top[-2];
    top[-2] = first;
  }
  return true;
}

bool Evaluator::unary(const Operation& op) {
  if (depth_ == 0) return false;
  std::uint64_t& top = values_[depth_ - 1];
  switch (op.atom) {
    case DW_OP_not:
      top = ~top;
      return true;
    case DW_OP_neg:
      top = std::uint64_t{0} - top;
      return true;
    case DW_OP_abs:
      if (static_cast<std::int64_t>(top) < 0) top = std::uint64_t{0} - top;
      return true;
    default:  // DW_OP_plus_uconst
      top += op.number;
      return true;
  }
}

std::optional<std::uint64_t> divide(std::uint64_t a, std::uint64_t b, bool remainder) {
  if (b == 0) return std::nullopt;
  if (remainder) return a % b;  // unsigned by the standard; division is signed
  const auto dividend = static_cast<std::int64_t>(a);
  const auto divisor = static_cast<std::int64_t>(b);
  if (divisor == -1) return std::uint64_t{0} - a;  // INT64_MIN / -1 would trap
  return static_cast<std::uint64_t>(dividend / divisor);
}

std::uint64_t shift(std::uint8_t atom, std::uint64_t a, std::uint64_t count) {
  const bool negative = static_cast<std::int64_t>(a) < 0;
  if (count >= 64) return atom == DW_OP_shra && negative ? ~std::uint64_t{0} : 0;
  if (atom == DW_OP_shl) return a << count;
  if (atom == DW_OP_shr) return a >> count;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(a) >> count);
}

bool compare(std::uint8_t atom, std::uint64_t left, std::uint64_t right) {
  const auto a = static_cast<std::int64_t>(left);
  const auto b = static_cast<std::int64_t>(right);
  switch (atom) {
    case DW_OP_eq:
      return a == b;
    case DW_OP_ne:
      return a != b;
    case DW_OP_lt:
      return a < b;
    case DW_OP_le:
      return a <= b;
    case DW_OP_gt:
      return a > b;
    default:  // DW_OP_ge
      return a >= b;
  }
}

bool Evaluator::binary(std::uint8_t atom) {
  if (depth_ < 2) return false;
  const std::uint64_t b = values_[--depth_];
  std::uint64_t& a = values_[depth_ - 1];
  switch (atom) {
    case DW_OP_and:
      a &= b;
      return true;
    case DW_OP_or:
      a |= b;
      return true;
    case DW_OP_xor:
      a ^= b;
      return true;
    case DW_OP_plus:
      a += b;
      return true;
    case DW_OP_minus:
      a -= b;
      return true;
    case DW_OP_mul:
      a *= b;
      return true;
    case DW_OP_div:
    case DW_OP_mod: {
      const auto quotient = divide(a, b, atom == DW_OP_mod);
      if (quotient) a = *quotient;
      return quotient.has_value();
    }
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
      a = shift(atom, a, b);
      return true;
    default:
      a = compare(atom, a, b) ? 1 : 0;
      return true;
  }
}

bool Evaluator::run(const Operation& op) {
  const std::uint8_t atom = op.atom;
  if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return push(std::uint64_t{atom} - DW_OP_lit0);
  if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
    return push_register(std::uint64_t{atom} - DW_OP_breg0, op.number);
  }
  switch (atom) {
    case DW_OP_addr:
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
      return push(op.number);
    case DW_OP_bregx:
      return push_register(op.number, op.number2);
    case DW_OP_call_frame_cfa:
      return cfa_ && push(*cfa_);
    case DW_OP_deref:
      return dereference(8);
    case DW_OP_deref_size:
      return dereference(op.number);
    case DW_OP_dup:
      return push_copy(0);
    case DW_OP_over:
      return push_copy(1);
    case DW_OP_pick:
      return push_copy(op.number);
    case DW_OP_drop:
    case DW_OP_swap:
    case DW_OP_rot:
      return rearrange(atom);
    case DW_OP_not:
    case DW_OP_neg:
    case DW_OP_abs:
    case DW_OP_plus_uconst:
      return unary(op);
    case DW_OP_and:
    case DW_OP_or:
    case DW_OP_xor:
    case DW_OP_plus:
    case DW_OP_minus:
    case DW_OP_mul:
    case DW_OP_div:
    case DW_OP_mod:
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
    case DW_OP_eq:
    case DW_OP_ne:
    case DW_OP_lt:
    case DW_OP_le:
    case DW_OP_gt:
    case DW_OP_ge:
      return binary(atom);
    case DW_OP_nop:
    case DW_OP_stack_value:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<std::uint64_t> evaluate(std::span<const Operation> operations,
                                      const Registers& registers, std::optional<std::uint64_t> cfa,
                                      StackMemory& memory) {
  Evaluator evaluator(registers, cfa, memory);
  for (const Operation& op : operations) {
    if (!evaluator.run(op)) return std::nullopt;
  }
  return evaluator.top();
}

}  // namespace mini::unwind
