// A file descriptor written through a buffer; remembers its first error and is silent after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mini::views {

class Output {
 public:
  enum class Flush : std::uint8_t {
    kEachRecord,  // what is written is seen at once
    kBatched,     // when 64 KiB have gathered, or a tenth of a second after the last flush
  };

  /// Asked before each write: whether what is left is to be kept for later rather than to wait for
  /// a reader. A write that waits already notices when a signal cuts it short.
  using MustNotWait = bool (*)();

  /// Does not own `fd`.
  Output(int fd, Flush flush, MustNotWait must_not_wait = nullptr)
      : fd_(fd), flush_(flush), must_not_wait_(must_not_wait) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { flush(); }

  /// The buffer to append a record to; follow with end_record().
  std::string& buffer() { return buffer_; }
  void write(std::string_view text) { buffer_.append(text); }
  void end_record();
  void flush();

  bool healthy() const { return error_number_ == 0; }
  int error_number() const { return error_number_; }

 private:
  int fd_;
  Flush flush_;
  MustNotWait must_not_wait_;
  std::string buffer_;
  std::uint64_t flushed_at_ns_ = 0;
  int error_number_ = 0;
};

}  // namespace mini::views
