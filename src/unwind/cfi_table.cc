// Call frame information of one module, compiled to rows on demand.
#include "unwind/cfi_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "unwind/cfi_program.h"

namespace mini::unwind {
namespace {

// A row is some 60 bytes and compiles again in microseconds: past this many the cache starts anew.
constexpr std::size_t kMaxRows = 1 << 18;
// Rows with expressions are a handful per real file and are kept for ever: past this many, a file
// is taken to have none.
constexpr std::size_t kMaxFullRows = 1 << 12;

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
  if (const auto section = find_eh_frame(file)) eh_frame_.emplace(*section);
}

void CfiTable::add_debug_frame(ElfFile& file) {
  if (const auto section = find_debug_frame(file)) debug_frame_.emplace(*section);
  rows_.clear();
}

UnwindRow CfiTable::row_at(std::uint64_t address) {
  const auto known = rows_.find(address);
  if (known != rows_.end()) return known->second;
  if (rows_.size() >= kMaxRows) rows_.clear();
  return rows_.emplace(address, compile(address)).first->second;
}

UnwindRow CfiTable::compile(std::uint64_t address) {
  for (const auto* entries : {&eh_frame_, &debug_frame_}) {
    if (!*entries) continue;
    const UnwindRow row = compile_from(**entries, address);
    if (row.kind != UnwindRow::Kind::kNone) return row;
  }
  return {};
}

UnwindRow CfiTable::compile_from(const CfiEntries& entries, std::uint64_t address) {
  const auto frame = entries.find(address);
  if (!frame) return {};
  auto full = run_cfi_program(*frame, entries.section(), address);
  if (!full) return {};
  UnwindRow row;
  row.signal_frame = frame->common.is_signal_frame;
  if (full->rules[Registers::kInstructionPointer].kind == RegisterRule::Kind::kUndefined) {
    row.kind = UnwindRow::Kind::kOutermost;
    return row;
  }
  if (make_compact(*full, &row)) return row;
  if (full_rows_.size() >= kMaxFullRows) return {};
  full_rows_.push_back(std::move(*full));
  row.kind = UnwindRow::Kind::kFull;
  row.full = &full_rows_.back();
  return row;
}

}  // namespace mini::unwind
