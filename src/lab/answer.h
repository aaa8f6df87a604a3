// One figure of an experiment: what is predicted, observed, or typed by the reader who predicts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace mini::lab {

struct Answer {
  enum class Form : std::uint8_t {
    kCount,   // "3"
    kBytes,   // "135,168 bytes (132 KiB)"
    kOffset,  // "0x6b0"
    kWord,    // "malloc": one of a few words, compared without regard to case
  };
  Form form = Form::kCount;
  std::uint64_t number = 0;
  std::string word;

  friend bool operator==(const Answer&, const Answer&) = default;
};

inline Answer count(std::uint64_t n) {
  return {Answer::Form::kCount, n, {}};
}
inline Answer bytes(Bytes n) {
  return {Answer::Form::kBytes, n.count, {}};
}
inline Answer offset(Bytes n) {
  return {Answer::Form::kOffset, n.count, {}};
}
inline Answer word(std::string text) {
  return {Answer::Form::kWord, 0, std::move(text)};
}
inline Answer yes_or_no(bool yes) {
  return word(yes ? "yes" : "no");
}

/// As a table has it: a figure takes at most 20 columns.
std::string format_answer(const Answer& answer);

/// What a reader typed for a figure of this form: "132K", "132 KiB", "0x21000", "135168", "no";
/// nullopt where it is no such figure.
std::optional<Answer> parse_answer(std::string_view text, Answer::Form form);

/// Whether what a reader typed is that figure: "1,2,1" is "1, 2, 1", and "heap" is "[heap]".
bool says(const Answer& said, const Answer& figure);

}  // namespace mini::lab
