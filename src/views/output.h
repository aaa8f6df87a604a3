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

  /// Asked before each write: for how many nanoseconds to wait at most for a reader that reads
  /// nothing. A write that waits already notices when a signal cuts it short.
  using MostWait = std::uint64_t (*)();
  static constexpr std::uint64_t kForever = UINT64_MAX;

  /// Does not own `fd`. Where a wait has a limit, what nobody has read yet is kept, and waited for
  /// only once it is much; see takes_more().
  Output(int fd, Flush flush, MostWait most_wait = nullptr)
      : fd_(fd), flush_(flush), most_wait_(most_wait) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { flush(); }

  /// The buffer to append a record to; follow with end_record().
  std::string& buffer() { return buffer_; }
  void write(std::string_view text) { buffer_.append(text); }
  void end_record();
  void flush();

  /// False from when a reader was waited for in vain until it has read a good part of what is kept:
  /// more would be kept too, without end.
  bool takes_more() const { return !is_stalled_; }

  bool healthy() const { return error_number_ == 0; }
  int error_number() const { return error_number_; }

 private:
  std::uint64_t most_wait_ns() const { return most_wait_ != nullptr ? most_wait_() : kForever; }
  bool await_room(std::size_t kept_bytes);

  int fd_;
  Flush flush_;
  MostWait most_wait_;
  std::string buffer_;
  bool is_stalled_ = false;
  std::uint64_t flushed_at_ns_ = 0;
  int error_number_ = 0;
};

}  // namespace mini::views
