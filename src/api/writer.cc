#include "api/writer.h"

#include <cerrno>
#include <cstring>

#include "kernel/vm/quiet_write.h"

namespace mini::api {

std::size_t shown_bytes(const char* text, std::size_t most) {
  if (most == 0) return 0;
  const auto first = static_cast<unsigned char>(*text);
  if (first < 0x80) return first >= ' ' && first != 0x7f ? 1 : 0;
  if (first < 0xc0) return 0;
  const std::size_t bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (bytes > most || first >= 0xf8) return 0;
  std::uint32_t code = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) return 0;
    code = code << 6 | (next & 0x3fU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0xa0, 0x800,
                                      0x10000};  // below 0xa0: control characters
  const bool is_none = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff;
  return code >= kLeast[bytes] && code <= 0x10ffff && !is_none ? bytes : 0;
}

const char* write_digits(std::uint64_t number, Digits* out, bool commas) {
  std::size_t i = out->size() - 1;
  (*out)[i] = '\0';
  std::uint32_t digits = 0;
  do {
    if (commas && digits != 0 && digits % 3 == 0) (*out)[--i] = ',';
    (*out)[--i] = static_cast<char>('0' + number % 10);
    number /= 10;
    ++digits;
  } while (number != 0);
  return out->data() + i;
}

Writer& Writer::operator<<(char c) {
  if (size_ == buffer_.size()) flush();
  buffer_[size_++] = c;
  return *this;
}

Writer& Writer::operator<<(const char* text) {
  while (*text != '\0') *this << *text++;
  return *this;
}

Writer& Writer::operator<<(std::uint64_t number) {
  Digits digits;
  return *this << write_digits(number, &digits);
}

Writer& Writer::number(std::uint64_t number, std::size_t width) {
  Digits digits;
  const char* const text = write_digits(number, &digits);
  for (std::size_t length = std::strlen(text); length < width; ++length) *this << ' ';
  return *this << text;
}

Writer& Writer::text(const char* text, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) *this << (*text != '\0' ? *text++ : ' ');
  return *this;
}

Writer& Writer::foreign(const char* text, std::size_t most) {
  for (const char* const end = text + strnlen(text, most); text != end;) {
    std::size_t shown = shown_bytes(text, static_cast<std::size_t>(end - text));
    if (shown == 0) {
      *this << '?';
      ++text;
    }
    for (; shown != 0; --shown) *this << *text++;
  }
  return *this;
}

void Writer::flush() {
  std::size_t done = 0;
  while (done < size_) {
    const long count = kernel::vm::write_quietly(fd_, buffer_.data() + done, size_ - done);
    if (count == -EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  size_ = 0;
}

}  // namespace mini::api
