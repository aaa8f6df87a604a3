#include "api/writer.h"

#include <cerrno>
#include <cstring>

#include "kernel/vm/quiet_write.h"

namespace mini::api {

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
  for (std::size_t i = 0; i < most && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    *this << (byte < ' ' || byte == 0x7f ? '?' : text[i]);
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
