// Text to a file descriptor without stdio, locale or heap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mini::api {

/// Collects text and writes it when it is full, and at the end. Errors are ignored: there is nobody
/// to tell, and they bring no signal. Leaves errno alone, and is no point where a thread can be
/// cancelled.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { flush(); }

  Writer& operator<<(const char* text);
  Writer& operator<<(char c);
  /// "1,234,567"
  Writer& operator<<(std::uint64_t number);

  /// Right-aligned in a column.
  Writer& number(std::uint64_t number, std::size_t width);
  /// Left-aligned in a column, cut where it is longer.
  Writer& text(const char* text, std::size_t width);
  /// What somebody else wrote: at most `most` bytes of it, as shown_bytes() has it, or '?'.
  Writer& foreign(const char* text, std::size_t most);

  void flush();

 private:
  int fd_;
  std::size_t size_ = 0;
  std::array<char, 1024> buffer_;
};

/// How many bytes the character has that `text` begins with, of at most `most`; 0 where nobody is
/// to be shown it: a control character, or what is not well-formed UTF-8. XML takes all others.
std::size_t shown_bytes(const char* text, std::size_t most);

/// The digits of a number with a comma before each three; returns their begin in `out`, which they
/// end with a null byte.
using Digits = std::array<char, 28>;
const char* write_digits(std::uint64_t number, Digits* out, bool commas = true);

}  // namespace mini::api
