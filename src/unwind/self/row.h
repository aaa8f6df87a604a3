// What call frame information says of one code address, in one word.
#pragma once

#include <cstdint>

namespace mini::unwind::self {

/// How the canonical frame address (CFA), the caller's stack pointer, is found. The return address
/// lies in the word below it.
enum class RowKind : std::uint8_t {
  kAbsent,        // no row: nobody has compiled it yet
  kSp,            // CFA = sp + offset
  kBp,            // CFA = bp + offset
  kBpDeref,       // CFA = the word at bp + offset: functions that realign their stack
  kSignal,        // the kernel's frame around a signal handler
  kOutermost,     // there is no caller
  kFramePointer,  // code, but nothing describes it: perhaps bp is a frame pointer
  kUnsupported,   // described in a way that this unwinder does not follow
  kNotCode,       // no executable memory, so no return address either
};

/// How the caller's bp is found.
enum class BpRule : std::uint8_t {
  kKept,   // it is the same
  kAtCfa,  // the word at CFA + bp_offset
  kAtBp,   // the word at bp + bp_offset
};

/// 0..3 kind, 4..5 rule for bp, 8..31 bp_offset, 32..63 cfa_offset. Zero is kAbsent.
class Row {
 public:
  static constexpr std::int64_t kMostBpOffset = (std::int64_t{1} << 23) - 1;

  constexpr Row() = default;
  constexpr explicit Row(std::uint64_t word) : word_(word) {}
  constexpr explicit Row(RowKind kind) : word_(static_cast<std::uint64_t>(kind)) {}

  /// kUnsupported where an offset does not fit.
  static constexpr Row make(RowKind kind, std::int64_t cfa_offset, BpRule rule = BpRule::kKept,
                            std::int64_t bp_offset = 0) {
    if (cfa_offset != static_cast<std::int32_t>(cfa_offset) || bp_offset > kMostBpOffset ||
        bp_offset < -kMostBpOffset) {
      return Row(RowKind::kUnsupported);
    }
    return Row(static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(rule) << 4 |
               (static_cast<std::uint64_t>(bp_offset) & 0xff'ffffU) << 8 |
               static_cast<std::uint64_t>(cfa_offset) << 32);
  }

  constexpr std::uint64_t word() const { return word_; }
  constexpr RowKind kind() const { return static_cast<RowKind>(word_ & 0xfU); }
  constexpr BpRule bp_rule() const { return static_cast<BpRule>(word_ >> 4 & 0x3U); }
  constexpr std::int64_t cfa_offset() const { return static_cast<std::int64_t>(word_) >> 32; }
  constexpr std::int64_t bp_offset() const { return static_cast<std::int64_t>(word_ << 32) >> 40; }

  friend constexpr bool operator==(Row, Row) = default;

 private:
  std::uint64_t word_ = 0;
};
static_assert(sizeof(Row) == 8);
static_assert(Row::make(RowKind::kBp, -16, BpRule::kAtCfa, -24).bp_offset() == -24);
static_assert(Row::make(RowKind::kBp, -16, BpRule::kAtCfa, -24).cfa_offset() == -16);

}  // namespace mini::unwind::self
