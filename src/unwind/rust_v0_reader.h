// The words that a v0 name is made of. What is read of a damaged one is of no use, but safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mini::unwind {

struct RustIdentifier {
  std::string_view text;
  bool is_punycode = false;
  std::uint64_t disambiguator = 0;
};

inline bool is_between(char c, char first, char last) {
  return c >= first && c <= last;
}

class RustV0Reader {
 public:
  explicit RustV0Reader(std::string_view mangled) : mangled_(mangled) {}

  bool is_sound() const { return is_sound_; }
  void fail() { is_sound_ = false; }
  std::size_t at() const { return at_; }
  bool at_end() const { return at_ == mangled_.size(); }
  /// REQUIRES: where <= at() of before.
  void go_to(std::size_t where) { at_ = where; }

  /// '\0' at the end.
  char next() const { return at_end() ? '\0' : mangled_[at_]; }
  char take() { return at_end() ? '\0' : mangled_[at_++]; }
  bool take(char wanted) {
    const bool found = next() == wanted && !at_end();
    if (found) ++at_;
    return found;
  }

  RustIdentifier identifier();
  std::uint64_t base_62_number();
  std::uint64_t hexadecimal_number();
  /// The digits of one that may be of any size.
  std::string_view hexadecimal_digits();

 private:
  std::uint64_t decimal_number();

  std::string_view mangled_;
  std::size_t at_ = 0;
  bool is_sound_ = true;
};

}  // namespace mini::unwind
