// A hostile stack: rows and expressions made from the input, walked over memory that is the input.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "fuzz_target.h"
#include "unwind/demangle.h"
#include "unwind/expression.h"
#include "unwind/stack_memory.h"
#include "unwind/stack_walker.h"

namespace {

using mini::unwind::FullRow;
using mini::unwind::Operation;
using mini::unwind::RegisterRule;
using mini::unwind::Registers;
using mini::unwind::StackMemory;
using mini::unwind::UnwindRow;

constexpr std::uint64_t kStack = 0x7fff'0000'0000;

/// The input's bytes as a target's memory at kStack.
class InputMemory : public mini::MemoryReader {
 public:
  explicit InputMemory(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t read(mini::Address from, std::span<std::byte> out) const override {
    const std::uint64_t offset = from.value - kStack;
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
};

class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof value, bytes_.size());
    std::memcpy(&value, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
};

std::vector<Operation> operations_from(Input& input) {
  std::vector<Operation> operations(input.take<std::uint8_t>() % 24);
  for (Operation& op : operations) {
    op.atom = input.take<std::uint8_t>();
    // Small operands mostly: they keep addresses near the stack.
    op.number = static_cast<std::uint64_t>(std::int64_t{input.take<std::int16_t>()});
    op.number2 = input.take<std::uint8_t>() == 0xff ? input.take<std::uint64_t>() : 0;
  }
  return operations;
}

RegisterRule rule_from(Input& input) {
  RegisterRule rule;
  rule.kind = static_cast<RegisterRule::Kind>(input.take<std::uint8_t>() % 7);
  rule.offset = input.take<std::int16_t>();
  if (rule.kind == RegisterRule::Kind::kRegister) rule.offset &= 15;
  if (rule.kind >= RegisterRule::Kind::kExpressionMemory) rule.operations = operations_from(input);
  return rule;
}

UnwindRow row_from(Input& input, FullRow* full) {
  UnwindRow row;
  row.kind = static_cast<UnwindRow::Kind>(input.take<std::uint8_t>() % 4);
  row.cfa_register = static_cast<std::uint8_t>(input.take<std::uint8_t>() % Registers::kCount);
  row.cfa_offset = input.take<std::int16_t>();
  row.return_offset = input.take<std::int16_t>();
  for (std::int32_t& offset : row.saved_offset) {
    const auto small = input.take<std::int8_t>();
    offset = small == 0 ? UnwindRow::kNotSaved : small;
  }
  if (row.kind != UnwindRow::Kind::kFull) return row;
  full->cfa = rule_from(input);
  full->cfa.kind = full->cfa.operations.empty() ? RegisterRule::Kind::kRegister
                                                : RegisterRule::Kind::kExpressionValue;
  full->cfa.offset &= 15;
  for (RegisterRule& rule : full->rules) rule = rule_from(input);
  row.full = full;
  return row;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  Input input(bytes);
  const InputMemory memory(bytes);
  StackMemory stack;
  Registers registers;
  for (std::uint64_t& value : registers.value) value = kStack + input.take<std::uint8_t>();
  stack.reset(registers.value[Registers::kStackPointer], memory, input.take<std::uint16_t>());
  for (int i = 0; i < 32; ++i) {
    FullRow full;
    const UnwindRow row = row_from(input, &full);
    Registers outer;
    using mini::unwind::Step;
    if (step_by_row(row, registers, stack, &outer) == Step::kStepped ||
        step_by_frame_pointer(registers, stack, &outer) == Step::kStepped ||
        step_by_signal_frame(registers, stack, &outer) == Step::kStepped)
      registers = outer;
  }
  const std::string name(reinterpret_cast<const char*>(data), size);
  (void)mini::unwind::display_name(name);
  (void)mini::unwind::display_name("_Z" + name);
  (void)mini::unwind::display_name("_R" + name);
  return 0;
}
