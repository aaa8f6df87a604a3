// A JSON text as a tree: for files that heapspy itself wrote, or somebody says that it did.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace mini {

class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::map<std::string, JsonValue, std::less<>>;

  JsonValue() = default;
  explicit JsonValue(bool value) : value_(value) {}
  explicit JsonValue(std::int64_t value) : value_(value) {}
  explicit JsonValue(double value) : value_(value) {}
  explicit JsonValue(std::string value) : value_(std::move(value)) {}
  explicit JsonValue(Array value) : value_(std::move(value)) {}
  explicit JsonValue(Object value) : value_(std::move(value)) {}

  /// One value with nothing but white space around it. The error says at which byte it is none.
  static Result<JsonValue> parse(std::string_view text);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// Of an object; null where there is no such key, or this is no object.
  const JsonValue& operator[](std::string_view key) const;
  /// Empty where this is no array.
  const Array& items() const;
  /// "" where this is no string.
  const std::string& text() const;
  /// A whole number; nullopt where this is none.
  std::optional<std::int64_t> number() const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace mini
