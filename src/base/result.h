// Errors of heapspy: a value or a message that says what went wrong and what to do next.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace mini {

struct Error {
  std::string message;   // one line, no trailing full stop, ready to show to a user
  int error_number = 0;  // errno where a system call failed, else 0
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message, int error_number = 0) {
  return std::unexpected(Error{std::move(message), error_number});
}

}  // namespace mini
