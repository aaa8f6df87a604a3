// Call frame information of one module, compiled to rows on demand.
#include "unwind/cfi_table.h"

#include <algorithm>
#include <cstdlib>
#include <dwarf.h>
#include <limits>
#include <optional>

namespace mini::unwind {
namespace {

// A row is some 60 bytes and compiles again in microseconds: past this many the cache starts anew.
constexpr std::size_t kMaxRows = 1 << 18;
// Rows with expressions are a handful per real file and are kept for ever: past this many, a file
// is taken to have none.
constexpr std::size_t kMaxFullRows = 1 << 12;
constexpr std::size_t kMaxOperations = 256;
constexpr std::uint64_t kLargestSectionless = std::uint64_t{32} << 20;

std::optional<std::vector<Operation>> copy_operations(const Dwarf_Op* ops, std::size_t count) {
  if (count > kMaxOperations) return std::nullopt;
  std::vector<Operation> copy;
  copy.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    copy.push_back({ops[i].atom, ops[i].number, ops[i].number2});
  return copy;
}

std::int64_t as_signed(std::uint64_t n) {
  return static_cast<std::int64_t>(n);
}

/// The rule libdw's location for a register stands for (dwarf_frame_register's comment, libdw.h):
/// an expression for an address unless it ends in DW_OP_stack_value or is a register's name.
std::optional<RegisterRule> rule_of(const Dwarf_Op* ops, std::size_t count) {
  RegisterRule rule;
  if (count == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) {
    rule.kind = RegisterRule::Kind::kRegister;
    rule.offset = ops[0].atom - DW_OP_reg0;
  } else if (count == 1 && ops[0].atom == DW_OP_regx) {
    rule.kind = RegisterRule::Kind::kRegister;
    rule.offset = as_signed(ops[0].number);
  }
  if (rule.kind == RegisterRule::Kind::kRegister) {
    if (rule.offset < 0 || rule.offset >= std::int64_t{Registers::kCount}) return std::nullopt;
    return rule;
  }
  const bool is_value = ops[count - 1].atom == DW_OP_stack_value;
  const std::size_t length = is_value ? count - 1 : count;
  const bool from_cfa = length >= 1 && ops[0].atom == DW_OP_call_frame_cfa;
  if (from_cfa && (length == 1 || (length == 2 && ops[1].atom == DW_OP_plus_uconst))) {
    rule.kind = is_value ? RegisterRule::Kind::kCfaPlus : RegisterRule::Kind::kMemoryAtCfa;
    rule.offset = length == 2 ? as_signed(ops[1].number) : 0;
    return rule;
  }
  auto operations = copy_operations(ops, length);
  if (!operations) return std::nullopt;
  rule.kind =
      is_value ? RegisterRule::Kind::kExpressionValue : RegisterRule::Kind::kExpressionMemory;
  rule.operations = std::move(*operations);
  return rule;
}

std::optional<RegisterRule> register_rule(Dwarf_Frame* frame, std::size_t number) {
  Dwarf_Op storage[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, static_cast<int>(number), storage, &ops, &count) != 0)
    return std::nullopt;
  if (count > 0) return rule_of(ops, count);
  RegisterRule rule;  // ops == storage: undefined; ops == NULL: same value
  rule.kind = ops == nullptr ? RegisterRule::Kind::kKeep : RegisterRule::Kind::kUndefined;
  return rule;
}

bool read_cfa(Dwarf_Frame* frame, FullRow* row) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0) return false;
  row->cfa.kind = RegisterRule::Kind::kRegister;
  if (count == 1 && ops[0].atom == DW_OP_bregx) {
    row->cfa.offset = as_signed(ops[0].number);
    row->cfa_offset = as_signed(ops[0].number2);
  } else if (count == 1 && ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) {
    row->cfa.offset = ops[0].atom - DW_OP_breg0;
    row->cfa_offset = as_signed(ops[0].number);
  } else {
    auto operations = copy_operations(ops, count);
    if (!operations) return false;
    row->cfa.kind = RegisterRule::Kind::kExpressionValue;
    row->cfa.operations = std::move(*operations);
    return true;
  }
  return row->cfa.offset >= 0 && row->cfa.offset < std::int64_t{Registers::kCount};
}

bool fits(std::int64_t n) {
  return n > std::numeric_limits<std::int32_t>::min() &&
         n <= std::numeric_limits<std::int32_t>::max();
}

/// True and *row filled in where the full row says nothing that a compact one cannot.
bool make_compact(const FullRow& full, UnwindRow* row) {
  using Kind = RegisterRule::Kind;
  if (full.cfa.kind != Kind::kRegister || !fits(full.cfa_offset)) return false;
  const RegisterRule& return_rule = full.rules[Registers::kInstructionPointer];
  if (return_rule.kind != Kind::kMemoryAtCfa || !fits(return_rule.offset)) return false;
  for (std::size_t i = 0; i < Registers::kInstructionPointer; ++i) {
    const RegisterRule& rule = full.rules[i];
    if (rule.kind == Kind::kKeep || rule.kind == Kind::kUndefined) continue;
    if (i == Registers::kStackPointer && rule.kind == Kind::kCfaPlus && rule.offset == 0) continue;
    const auto slot = std::ranges::find(UnwindRow::kSavedRegisters, i);
    if (slot == UnwindRow::kSavedRegisters.end() || rule.kind != Kind::kMemoryAtCfa ||
        !fits(rule.offset))
      return false;
    row->saved_offset[static_cast<std::size_t>(slot - UnwindRow::kSavedRegisters.begin())] =
        static_cast<std::int32_t>(rule.offset);
  }
  row->kind = UnwindRow::Kind::kCompact;
  row->cfa_register = static_cast<std::uint8_t>(full.cfa.offset);
  row->cfa_offset = static_cast<std::int32_t>(full.cfa_offset);
  row->return_offset = static_cast<std::int32_t>(return_rule.offset);
  return true;
}

}  // namespace

CfiTable::CfiTable(const ElfFile& file) {
  // Where libdw finds no .eh_frame section it goes by the program headers, and reads the whole file
  // for that: only for files without any sections, and not for big ones.
  const bool by_segments = file.has_no_sections() && file.size_bytes() <= kLargestSectionless;
  if (file.section(".eh_frame") != nullptr || by_segments) eh_frame_ = dwarf_getcfi_elf(file.elf());
}

CfiTable::~CfiTable() {
  if (eh_frame_ != nullptr) dwarf_cfi_end(eh_frame_);
}

void CfiTable::add_debug_frame(Dwarf* dwarf) {
  debug_frame_ = dwarf_getcfi(dwarf);
  rows_.clear();
}

UnwindRow CfiTable::row_at(std::uint64_t address) {
  const auto known = rows_.find(address);
  if (known != rows_.end()) return known->second;
  if (rows_.size() >= kMaxRows) rows_.clear();
  return rows_.emplace(address, compile(address)).first->second;
}

UnwindRow CfiTable::compile(std::uint64_t address) {
  for (Dwarf_CFI* cfi : {eh_frame_, debug_frame_}) {
    Dwarf_Frame* frame = nullptr;
    if (cfi == nullptr || dwarf_cfi_addrframe(cfi, address, &frame) != 0) continue;
    const UnwindRow row = compile_frame(frame);
    std::free(frame);
    if (row.kind != UnwindRow::Kind::kNone) return row;
  }
  return {};
}

UnwindRow CfiTable::compile_frame(Dwarf_Frame* frame) {
  UnwindRow row;
  const int return_column = dwarf_frame_info(frame, nullptr, nullptr, &row.signal_frame);
  FullRow full;
  if (return_column != static_cast<int>(Registers::kInstructionPointer)) return {};
  const auto return_rule = register_rule(frame, Registers::kInstructionPointer);
  if (!return_rule) return {};
  if (return_rule->kind == RegisterRule::Kind::kUndefined) {
    row.kind = UnwindRow::Kind::kOutermost;
    return row;
  }
  if (!read_cfa(frame, &full)) return {};
  for (std::size_t i = 0; i < full.rules.size(); ++i) {
    auto rule = register_rule(frame, i);
    if (!rule) return {};
    full.rules[i] = std::move(*rule);
  }
  if (make_compact(full, &row)) return row;
  if (full_rows_.size() >= kMaxFullRows) return {};
  full_rows_.push_back(std::move(full));
  row.kind = UnwindRow::Kind::kFull;
  row.full = &full_rows_.back();
  return row;
}

}  // namespace mini::unwind
