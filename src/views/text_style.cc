#include "views/text_style.h"

namespace mini::views {
namespace {

constexpr Glyphs kUnicodeGlyphs = {.arrow = "→",
                                   .dot = "·",
                                   .minus = "−",
                                   .times = "×",
                                   .rule = "─",
                                   .bar = "█",
                                   .side = "│",
                                   .top_left = "┌",
                                   .top_right = "┐",
                                   .bottom_left = "└",
                                   .bottom_right = "┘",
                                   .tee_left = "├",
                                   .tee_right = "┤",
                                   .break_rule = "═",
                                   .gap = "┆"};

constexpr Glyphs kAsciiGlyphs = {.arrow = "->",
                                 .dot = "-",
                                 .minus = "-",
                                 .times = "x",
                                 .rule = "-",
                                 .bar = "#",
                                 .side = "|",
                                 .top_left = "+",
                                 .top_right = "+",
                                 .bottom_left = "+",
                                 .bottom_right = "+",
                                 .tee_left = "+",
                                 .tee_right = "+",
                                 .break_rule = "=",
                                 .gap = ":"};

}  // namespace

const Glyphs& TextStyle::glyphs() const {
  return unicode ? kUnicodeGlyphs : kAsciiGlyphs;
}

std::string_view ink_sequence(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kStrong:
      return "\x1b[1m";
    case Ink::kDim:
      return "\x1b[2m";
    case Ink::kHeading:
      return "\x1b[1;4m";
    case Ink::kError:
      return "\x1b[1;31m";
    case Ink::kUnknown:
      return "\x1b[35m";
    case Ink::kLoader:
      return "\x1b[34m";
    case Ink::kLibcStartup:
      return "\x1b[36m";
    case Ink::kMalloc:
      return "\x1b[33m";
    case Ink::kProgram:
      return "\x1b[32m";
    case Ink::kRuntime:
      return "\x1b[95m";
  }
  return "";
}

}  // namespace mini::views
