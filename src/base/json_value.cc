// RFC 8259. Numbers that are whole and fit 64 bits stay whole; of two values for one key the later
// counts.
#include "base/json_value.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "base/utf8.h"

namespace mini {
namespace {

constexpr int kMostDepth = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<JsonValue> run() {
    auto value = parse_value(0);
    skip_space();
    if (!value || at_ != text_.size()) {
      return fail(fmt::format("no JSON from byte {} on", at_));
    }
    return std::move(*value);
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::optional<JsonValue> parse_value(int depth) {
    skip_space();
    if (at_ == text_.size() || depth > kMostDepth) return std::nullopt;
    switch (text_[at_]) {
      case '{':
        return parse_object(depth);
      case '[':
        return parse_array(depth);
      case '"': {
        auto text = parse_string();
        return text ? std::optional(JsonValue(std::move(*text))) : std::nullopt;
      }
      case 't':
        return take_word("true") ? std::optional(JsonValue(true)) : std::nullopt;
      case 'f':
        return take_word("false") ? std::optional(JsonValue(false)) : std::nullopt;
      case 'n':
        return take_word("null") ? std::optional(JsonValue()) : std::nullopt;
      default:
        return parse_number();
    }
  }

  std::optional<JsonValue> parse_object(int depth) {
    JsonValue::Object object;
    ++at_;
    if (take('}')) return JsonValue(std::move(object));
    do {
      skip_space();
      auto key = parse_string();
      if (!key || !take(':')) return std::nullopt;
      auto value = parse_value(depth + 1);
      if (!value) return std::nullopt;
      object.insert_or_assign(std::move(*key), std::move(*value));
    } while (take(','));
    return take('}') ? std::optional(JsonValue(std::move(object))) : std::nullopt;
  }

  std::optional<JsonValue> parse_array(int depth) {
    JsonValue::Array array;
    ++at_;
    if (take(']')) return JsonValue(std::move(array));
    do {
      auto value = parse_value(depth + 1);
      if (!value) return std::nullopt;
      array.push_back(std::move(*value));
    } while (take(','));
    return take(']') ? std::optional(JsonValue(std::move(array))) : std::nullopt;
  }

  std::optional<JsonValue> parse_number() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::string_view("+-.0123456789eE").contains(text_[at_])) ++at_;
    const std::string_view digits = text_.substr(begin, at_ - begin);
    const char* const first = digits.data();
    const char* const end = first + digits.size();
    std::int64_t whole = 0;
    const auto as_whole = std::from_chars(first, end, whole);
    if (as_whole.ec == std::errc{} && as_whole.ptr == end) return JsonValue(whole);
    double number = 0;
    const auto as_double = std::from_chars(first, end, number);
    if (digits.empty() || as_double.ec != std::errc{} || as_double.ptr != end) {
      at_ = begin;
      return std::nullopt;
    }
    return JsonValue(number);
  }

  std::optional<std::string> parse_string() {
    if (at_ == text_.size() || text_[at_] != '"') return std::nullopt;
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (static_cast<unsigned char>(c) < ' ') return std::nullopt;
      if (c != '\\') {
        out += c;
      } else if (!parse_escape(out)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  /// Leaves at_ on the escape's last character.
  bool parse_escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (++at_ == text_.size()) return false;
    if (text_[at_] == 'u') return parse_code_point(out);
    const auto letter = kLetters.find(text_[at_]);
    if (letter == std::string_view::npos) return false;
    out += kMeanings[letter];
    return true;
  }

  std::optional<std::uint32_t> parse_hex() {
    std::uint32_t value = 0;
    const std::string_view digits = text_.substr(std::min(at_ + 1, text_.size()), 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4) return std::nullopt;
    at_ += 4;
    return value;
  }

  bool parse_code_point(std::string& out) {
    auto point = parse_hex();
    if (!point) return false;
    const bool is_high = *point >= 0xd800 && *point < 0xdc00;
    if (is_high && text_.substr(at_ + 1).starts_with("\\u")) {
      at_ += 2;
      const auto low = parse_hex();
      if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
      point = 0x10000 + ((*point - 0xd800) << 10U) + (*low - 0xdc00);
    }
    constexpr std::uint32_t kReplacement = 0xfffd;  // of half of a pair
    append_utf8(out, is_character(*point) ? *point : kReplacement);
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<JsonValue> JsonValue::parse(std::string_view text) {
  return Parser(text).run();
}

const JsonValue& JsonValue::operator[](std::string_view key) const {
  static const JsonValue null_value;
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return null_value;
  const auto found = object->find(key);
  return found != object->end() ? found->second : null_value;
}

const JsonValue::Array& JsonValue::items() const {
  static const Array none;
  const auto* array = std::get_if<Array>(&value_);
  return array != nullptr ? *array : none;
}

const std::string& JsonValue::text() const {
  static const std::string none;
  const auto* text = std::get_if<std::string>(&value_);
  return text != nullptr ? *text : none;
}

std::optional<std::int64_t> JsonValue::number() const {
  const auto* number = std::get_if<std::int64_t>(&value_);
  return number != nullptr ? std::optional(*number) : std::nullopt;
}

}  // namespace mini
