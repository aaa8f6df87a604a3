// A descriptor that is written to the end or to its first error.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "recording/bytes.h"

namespace mini::recording {

/// Whether nobody wants to wait any longer for a reader that takes nothing.
using GivesUp = bool (*)();

/// Owns the descriptor. Not thread-safe.
class FileSink {
 public:
  explicit FileSink(int descriptor, GivesUp gives_up = nullptr)
      : descriptor_(descriptor), gives_up_(gives_up) {}
  ~FileSink();
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  /// All of them; waits where the descriptor does not take them yet, which it is to say
  /// (O_NONBLOCK) for `gives_up` to be asked. After an error, which state() keeps, does nothing.
  void write(ByteSpan bytes);
  /// Nothing may follow.
  Result<void> close();

  const Result<void>& state() const { return state_; }
  std::uint64_t written_bytes() const { return written_bytes_; }

 private:
  void fail_with(int error_number);
  void wait_for_reader();

  int descriptor_;
  GivesUp gives_up_;
  std::uint64_t written_bytes_ = 0;
  Result<void> state_;
};

}  // namespace mini::recording
