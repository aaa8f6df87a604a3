// zstd, with contexts that are made once.
#pragma once

#include <cstdint>

#include "recording/bytes.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace mini::recording {

/// What is to be expected, and so worth its time. Numbers at random of a few bits each are alike by
/// chance where short, which costs more than it gains: of kNumbers only long matches are looked
/// for, of kRandomNumbers none, and all else is left to the entropy coder.
enum class Content : std::uint8_t { kAny, kNumbers, kRandomNumbers };

/// At the fastest level that still has an entropy coder. Not thread-safe.
class Compressor {
 public:
  explicit Compressor(Content content);
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  /// Appends `bytes` to `out`, as one zstd frame if that is shorter, else as they are; returns how
  /// many bytes that took. As many as `bytes` has: they are there as they are.
  std::size_t append(ByteSpan bytes, ByteVector& out);

 private:
  ZSTD_CCtx_s* context_;
  ByteVector scratch_;
};

/// Not thread-safe.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// Decompresses one frame into `out`; false unless that fills it exactly.
  bool fill(ByteSpan frame, std::span<std::uint8_t> out);

 private:
  ZSTD_DCtx_s* context_;
};

}  // namespace mini::recording
