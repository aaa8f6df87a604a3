#include "lab/answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "base/text.h"

namespace mini::lab {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n.";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// A factor of a unit in lower case; 0: no such unit.
std::uint64_t unit_factor(std::string_view unit) {
  if (unit.empty() || unit == "b" || unit == "byte" || unit == "bytes") return 1;
  if (unit == "k" || unit == "kb" || unit == "kib") return kKiB.count;
  if (unit == "m" || unit == "mb" || unit == "mib") return kMiB.count;
  return 0;
}

std::optional<std::uint64_t> parse_quantity(std::string text) {
  std::erase(text, ',');
  std::string_view digits = text;
  const bool is_hex = digits.starts_with("0x");
  if (is_hex) digits.remove_prefix(2);
  std::uint64_t number = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, is_hex ? 16 : 10);
  if (parsed.ec != std::errc{}) return std::nullopt;
  const auto rest = digits.substr(static_cast<std::size_t>(parsed.ptr - digits.data()));
  const std::uint64_t factor = unit_factor(trim(rest));
  if (factor == 0 || number > std::numeric_limits<std::uint64_t>::max() / factor) {
    return std::nullopt;
  }
  return number * factor;
}

// A word without what a reader may leave out.
std::string essence(std::string_view word) {
  constexpr std::string_view kArticle = "a ";
  if (word.starts_with(kArticle)) word.remove_prefix(kArticle.size());
  std::string out(word);
  std::erase_if(out, [](char c) { return std::string_view(" ,[]").contains(c); });
  return out;
}

}  // namespace

bool says(const Answer& said, const Answer& figure) {
  return said.form == figure.form && said.number == figure.number &&
         essence(said.word) == essence(figure.word);
}

std::string format_answer(const Answer& answer) {
  switch (answer.form) {
    case Answer::Form::kCount:
      return format_count(answer.number);
    case Answer::Form::kBytes:
      return answer.number < kKiB.count ? fmt::format("{} bytes", answer.number)
                                        : fmt::format("{} ({})", format_count(answer.number),
                                                      format_bytes(Bytes{answer.number}));
    case Answer::Form::kOffset:
      return fmt::format("0x{:x}", answer.number);
    case Answer::Form::kWord:
      return answer.word;
  }
  return {};
}

std::optional<Answer> parse_answer(std::string_view text, Answer::Form form) {
  const std::string said = lower(trim(text));
  if (said.empty()) return std::nullopt;
  if (form != Answer::Form::kWord) {
    const auto number = parse_quantity(said);
    return number ? std::optional(Answer{form, *number, {}}) : std::nullopt;
  }
  if (said == "y" || said == "yes") return yes_or_no(true);
  if (said == "n" || said == "no") return yes_or_no(false);
  return word(said);
}

}  // namespace mini::lab
