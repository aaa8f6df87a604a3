// Chunk headers read one after the other through a window on the target's memory, so that a walk
// over a heap costs one read for 64 KiB and touches nothing inside large chunks.
#pragma once

#include <cstring>
#include <vector>

#include "heaps/glibc_chunk.h"

namespace mini::heaps {

class HeaderWindow {
 public:
  explicit HeaderWindow(const MemoryReader& memory) : memory_(memory) { bytes_.resize(kSize); }

  /// `end`: nothing from there on is read.
  std::optional<ChunkHeader> at(Address chunk, Address end) {
    if (chunk < begin_ || !holds(chunk)) fill(chunk, end);
    if (!holds(chunk)) return std::nullopt;
    ChunkHeader header;
    std::memcpy(&header, bytes_.data() + (chunk - begin_).count, sizeof header);
    return header;
  }

 private:
  static constexpr std::size_t kSize = 64 * 1024;

  bool holds(Address chunk) const {
    const std::uint64_t offset = (chunk - begin_).count;
    return offset <= size_ && size_ - offset >= sizeof(ChunkHeader);
  }
  void fill(Address chunk, Address end) {
    begin_ = chunk;
    const std::uint64_t wanted = end > chunk ? (end - chunk).count : 0;
    size_ = memory_.read(chunk, std::span(bytes_).first(std::min<std::uint64_t>(wanted, kSize)));
  }

  const MemoryReader& memory_;
  Address begin_;
  std::size_t size_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace mini::heaps
