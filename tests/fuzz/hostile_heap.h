// Memory that an adversary made, and what a decoder of heaps must keep to whatever is in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/memory_reader.h"
#include "base/units.h"
#include "model/heap.h"

/// The same bytes at each multiple of 64 KiB, so that links can lead somewhere; nothing before the
/// first.
class MirroredMemory final : public mini::MemoryReader {
 public:
  static constexpr mini::Address kBegin{0x10000};

  explicit MirroredMemory(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t read(mini::Address from, std::span<std::byte> out) const override {
    if (from < kBegin || bytes_.empty()) return 0;
    const std::uint64_t offset = from.value % kBegin.value;
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    if (count != 0) std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Pieces come in order, touch, and cover their region, whatever the heap is like.
class OrderedSink : public mini::model::PieceSink {
 public:
  void begin_region(const mini::model::HeapRegion& region) override {
    region_ = region.range;
    at_ = region.range.begin;
  }
  void piece(const mini::model::HeapPiece& piece) override {
    if (piece.range.begin != at_ || piece.range.empty()) __builtin_trap();
    if (piece.header > piece.range.size()) __builtin_trap();
    at_ = piece.range.end;
  }
  void end_region() override {
    if (at_ != region_.end) __builtin_trap();
  }

 private:
  mini::AddressRange region_;
  mini::Address at_;
};
