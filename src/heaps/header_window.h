// Chunk headers read one after the other through a window on the target's memory, so that a walk
// over a heap costs one read for 64 KiB and touches nothing inside large chunks.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/memory_view.h"
#include "heaps/glibc_chunk.h"

namespace mini::heaps {

class HeaderWindow {
 public:
  explicit HeaderWindow(const MemoryReader& memory)
      : memory_(memory), view_(dynamic_cast<const MemoryView*>(&memory)) {}

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
    return offset <= bytes_.size() && bytes_.size() - offset >= sizeof(ChunkHeader);
  }
  void fill(Address chunk, Address end) {
    begin_ = chunk;
    const std::uint64_t wanted = end > chunk ? (end - chunk).count : 0;
    if (view_ != nullptr) {
      bytes_ = view_->at_hand(chunk);
      bytes_ = bytes_.first(std::min<std::uint64_t>(bytes_.size(), wanted));
      if (bytes_.size() >= sizeof(ChunkHeader)) return;
    }
    copy_.resize(kSize);
    const std::uint64_t size = std::min<std::uint64_t>(wanted, kSize);
    bytes_ = std::span(copy_).first(memory_.read(chunk, std::span(copy_).first(size)));
  }

  const MemoryReader& memory_;
  const MemoryView* view_;  // of the same, where it is one
  Address begin_;
  std::span<const std::byte> bytes_;  // from begin_ on; of the view, or of copy_
  std::vector<std::byte> copy_;
};

}  // namespace mini::heaps
