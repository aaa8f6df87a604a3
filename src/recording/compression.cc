// zstd's contexts, owned.
#include "recording/compression.h"

#include <algorithm>
#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_literalCompressionMode
#include <zstd.h>

namespace mini::recording {

namespace {

constexpr int kLevel = 1;
constexpr int kAcceleration = 6;
constexpr int kMostAcceleration = ZSTD_TARGETLENGTH_MAX;  // over all that there is
constexpr int kLeastMatch = 7;
// Below this a frame's own header, and the time to look for a gain, are not worth it.
constexpr std::size_t kLeastBytes = 64;

}  // namespace

Compressor::Compressor(Content content) : context_(ZSTD_createCCtx()) {
  if (context_ == nullptr) return;
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel);
  if (content == Content::kAny) return;
  // Acceleration turns the entropy coder off unless it is asked for, and that is a parameter which
  // another version of zstd may not know.
  const std::size_t known =
      ZSTD_CCtx_setParameter(context_, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
  if (ZSTD_isError(known) != 0) return;
  ZSTD_CCtx_setParameter(context_, ZSTD_c_targetLength,
                         content == Content::kNumbers ? kAcceleration : kMostAcceleration);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_minMatch, kLeastMatch);
}

Compressor::~Compressor() {
  ZSTD_freeCCtx(context_);
}

std::size_t Compressor::append(ByteSpan bytes, ByteVector& out) {
  if (bytes.size() >= kLeastBytes && context_ != nullptr) {
    scratch_.resize(std::max(scratch_.size(), bytes.size()));
    // With less room than a gain needs it stops early, and says so as an error.
    const std::size_t size =
        ZSTD_compress2(context_, scratch_.data(), bytes.size() - 1, bytes.data(), bytes.size());
    if (ZSTD_isError(size) == 0) {
      put_bytes(out, ByteSpan(scratch_).first(size));
      return size;
    }
  }
  put_bytes(out, bytes);
  return bytes.size();
}

Decompressor::Decompressor() : context_(ZSTD_createDCtx()) {}

Decompressor::~Decompressor() {
  ZSTD_freeDCtx(context_);
}

bool Decompressor::fill(ByteSpan frame, std::span<std::uint8_t> out) {
  if (context_ == nullptr) return false;
  const std::size_t size =
      ZSTD_decompressDCtx(context_, out.data(), out.size(), frame.data(), frame.size());
  return ZSTD_isError(size) == 0 && size == out.size();
}

}  // namespace mini::recording
