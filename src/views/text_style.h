// How the terminal form looks: its width, its colours, and the characters it may use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/cause.h"

namespace mini::views {

/// What a piece of text means; the colour follows from it.
enum class Ink : std::uint8_t {
  kPlain,
  kStrong,
  kDim,
  kHeading,
  kError,
  kUnknown,  // the causes, in the order of model::Cause
  kLoader,
  kLibcStartup,
  kMalloc,
  kProgram,
  kRuntime,
};

constexpr Ink ink_of(model::Cause cause) {
  return static_cast<Ink>(static_cast<int>(Ink::kUnknown) + static_cast<int>(cause));
}

/// The terminal's sequence that starts an ink; "" for kPlain.
std::string_view ink_sequence(Ink ink);
inline constexpr std::string_view kInkReset = "\x1b[0m";

/// The characters beyond letters and digits, in two sets.
struct Glyphs {
  std::string_view arrow, dot, minus, times, rule, bar;
  std::string_view side;                             // of a band
  std::string_view top_left, top_right;              // of the picture of the address space
  std::string_view bottom_left, bottom_right;        //
  std::string_view tee_left, tee_right, break_rule;  // between two bands; under the break
  std::string_view gap;                              // what is not mapped
};

struct TextStyle {
  std::size_t width = 80;  // no line is longer; at least kMinWidth
  bool color = false;
  bool unicode = true;

  const Glyphs& glyphs() const;
};

inline constexpr std::size_t kMinWidth = 60;

}  // namespace mini::views
