// Where a recording's bytes come from, and a window over them that moves forward.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "recording/bytes.h"

namespace mini::recording {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// At least one byte into `out`, or 0 at the end. REQUIRES: room for one.
  virtual Result<std::size_t> read(std::span<std::uint8_t> out) = 0;
  /// Of all that there will be; 0 where that is not known.
  virtual std::uint64_t size() const = 0;
};

/// A file, a pipe or a device, read from where it stands.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

/// REQUIRES: the bytes live as long as it does.
std::unique_ptr<ByteSource> memory_source(ByteSpan bytes);

/// The part of a source from offset() on, as far as it was asked for. Holds at most twice as many
/// bytes as it was ever asked for at once, and reads ahead.
class ByteWindow {
 public:
  explicit ByteWindow(ByteSource& source) : source_(source) {}

  /// Tries to have `count` bytes; how many there are then: fewer only at the end of the source.
  Result<std::size_t> ensure(std::size_t count);
  /// What it has.
  ByteSpan bytes() const { return ByteSpan(buffer_).subspan(begin_, end_ - begin_); }
  bool at_end() const { return at_end_; }  // nothing will come after bytes()
  /// REQUIRES: as many in bytes().
  void skip(std::size_t count) {
    begin_ += count;
    offset_ += count;
  }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t size() const { return source_.size(); }

 private:
  ByteSource& source_;
  ByteVector buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
  bool at_end_ = false;
};

}  // namespace mini::recording
