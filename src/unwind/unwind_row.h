// Call frame information of one range of code in the form the walk uses: one compact row for what
// compilers emit, a full set of rules for the rest.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "unwind/expression.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

/// How one register of the caller is found.
struct RegisterRule {
  enum class Kind : std::uint8_t {
    kKeep,              // same value, or not restored at all
    kUndefined,         // of the return address: there is no caller
    kMemoryAtCfa,       // the word at CFA + offset
    kCfaPlus,           // CFA + offset itself
    kRegister,          // the value of register `offset`
    kExpressionMemory,  // the word where the expression says
    kExpressionValue,   // what the expression says
  };
  Kind kind = Kind::kKeep;
  std::int64_t offset = 0;
  std::vector<Operation> operations;
};

/// Every rule of a row that needs more than a compact one says.
struct FullRow {
  RegisterRule cfa;  // kRegister with `cfa_offset`, or kExpressionValue
  std::int64_t cfa_offset = 0;
  std::array<RegisterRule, Registers::kCount> rules;
};

struct UnwindRow {
  enum class Kind : std::uint8_t {
    kNone,       // no call frame information covers the address
    kOutermost,  // it says that there is no caller
    kCut,        // what it says of the caller is known to be wrong
    kCompact,
    kFull,
  };
  // The callee-saved registers of the x86-64 psABI besides rsp: rbx, rbp, r12-r15.
  static constexpr std::array<std::uint8_t, 6> kSavedRegisters{3, 6, 12, 13, 14, 15};
  static constexpr std::int32_t kNotSaved = std::numeric_limits<std::int32_t>::min();

  Kind kind = Kind::kNone;
  bool signal_frame = false;  // the caller was interrupted, not calling: its pc is exact
  std::uint8_t cfa_register = 0;
  std::int32_t cfa_offset = 0;
  std::int32_t return_offset = 0;  // of the return address, from the CFA
  std::array<std::int32_t, 6> saved_offset{kNotSaved, kNotSaved, kNotSaved,
                                           kNotSaved, kNotSaved, kNotSaved};
  const FullRow* full = nullptr;  // kFull: owned by the module's CfiTable
};

}  // namespace mini::unwind
