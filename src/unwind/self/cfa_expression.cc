// A stack machine (DWARF 5, §2.5) over sums of a register and a number.
#include "unwind/self/cfa_expression.h"

#include <array>

namespace mini::unwind::self {
namespace {

using Base = ExpressionValue::Base;

enum Operation : std::uint8_t {
  kDeref = 0x06,
  kConst1u = 0x08,
  kConst1s = 0x09,
  kConst2u = 0x0a,
  kConst2s = 0x0b,
  kConst4u = 0x0c,
  kConst4s = 0x0d,
  kConstu = 0x10,
  kConsts = 0x11,
  kAnd = 0x1a,
  kMinus = 0x1c,
  kPlus = 0x22,
  kPlusConst = 0x23,
  kShl = 0x24,
  kGe = 0x2a,
  kLit0 = 0x30,
  kLit31 = 0x4f,
  kBreg0 = 0x70,
  kBreg31 = 0x8f,
};

std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

class Evaluation {
 public:
  Evaluation(ByteRange operations, std::uintptr_t pc) : bytes_(operations), pc_(pc) {}

  ExpressionValue run() {
    while (!bytes_.at_end() && known_) step(bytes_.take<std::uint8_t>());
    if (!known_ || !bytes_.ok() || depth_ != 1) return {};
    return stack_[0];
  }

 private:
  void step(std::uint8_t op) {
    if (op >= kLit0 && op <= kLit31) return push_number(op - kLit0);
    if (op >= kBreg0 && op <= kBreg31) return push_register(op - kBreg0);
    switch (op) {
      case kConst1u:
        return push_number(bytes_.take<std::uint8_t>());
      case kConst1s:
        return push_number(bytes_.take<std::int8_t>());
      case kConst2u:
        return push_number(bytes_.take<std::uint16_t>());
      case kConst2s:
        return push_number(bytes_.take<std::int16_t>());
      case kConst4u:
        return push_number(bytes_.take<std::uint32_t>());
      case kConst4s:
        return push_number(bytes_.take<std::int32_t>());
      case kConstu:
        return push_number(static_cast<std::int64_t>(bytes_.take_uleb()));
      case kConsts:
        return push_number(bytes_.take_sleb());
      case kPlusConst:
        push_number(static_cast<std::int64_t>(bytes_.take_uleb()));
        return combine(kPlus);
      case kDeref:
        return dereference();
      case kAnd:
      case kMinus:
      case kPlus:
      case kShl:
      case kGe:
        return combine(op);
      default:
        known_ = false;
    }
  }

  void push(ExpressionValue value) {
    if (depth_ == stack_.size()) {
      known_ = false;
    } else {
      stack_[depth_++] = value;
    }
  }
  void push_number(std::int64_t number) { push({Base::kNumber, false, number}); }

  void push_register(int number) {
    const std::int64_t offset = bytes_.take_sleb();
    if (number == kDwarfSp) {
      push({Base::kSp, false, offset});
    } else if (number == kDwarfBp) {
      push({Base::kBp, false, offset});
    } else if (number == kDwarfReturn) {
      push_number(wrapping_sum(static_cast<std::int64_t>(pc_), offset));
    } else {
      known_ = false;
    }
  }

  void dereference() {
    if (depth_ == 0 || stack_[depth_ - 1].dereferenced ||
        stack_[depth_ - 1].base == Base::kNumber) {
      known_ = false;
    } else {
      stack_[depth_ - 1].dereferenced = true;
    }
  }

  // The two topmost values become one. Only a sum may have a register in it.
  void combine(std::uint8_t op) {
    known_ = depth_ >= 2;
    if (!known_) return;
    const ExpressionValue b = stack_[depth_ - 1];
    ExpressionValue& a = stack_[depth_ - 2];
    --depth_;
    if (op == kPlus && a.base == Base::kNumber && !b.dereferenced) {
      a = {b.base, false, wrapping_sum(a.offset, b.offset)};
      return;
    }
    known_ = b.base == Base::kNumber && !a.dereferenced &&
             (a.base == Base::kNumber || op == kPlus || op == kMinus);
    if (!known_) return;
    const auto unsigned_a = static_cast<std::uint64_t>(a.offset);
    const auto unsigned_b = static_cast<std::uint64_t>(b.offset);
    std::uint64_t result = 0;
    if (op == kPlus) result = unsigned_a + unsigned_b;
    if (op == kMinus) result = unsigned_a - unsigned_b;
    if (op == kAnd) result = unsigned_a & unsigned_b;
    if (op == kShl) result = unsigned_b < 64 ? unsigned_a << unsigned_b : 0;
    if (op == kGe) result = a.offset >= b.offset ? 1 : 0;
    a.offset = static_cast<std::int64_t>(result);
  }

  ByteCursor bytes_;
  std::uintptr_t pc_;
  std::array<ExpressionValue, 8> stack_;
  std::size_t depth_ = 0;
  bool known_ = true;
};

}  // namespace

ExpressionValue evaluate_expression(ByteRange operations, std::uintptr_t pc) {
  return Evaluation(operations, pc).run();
}

}  // namespace mini::unwind::self
