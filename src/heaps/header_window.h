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
    const std::byte* here = held_.find(chunk, sizeof(ChunkHeader));
    if (here == nullptr) {
      fill(chunk, end);
      here = held_.find(chunk, sizeof(ChunkHeader));
    }
    if (here == nullptr) return std::nullopt;
    ChunkHeader header;
    std::memcpy(&header, here, sizeof header);
    return header;
  }

 private:
  static constexpr std::size_t kSize = 64 * 1024;

  [[gnu::noinline]] void fill(Address chunk, Address end) {
    const std::uint64_t wanted = end > chunk ? (end - chunk).count : 0;
    if (view_ != nullptr) {
      held_ = view_->held_around(chunk);
      const std::uint64_t to_end = end > held_.begin ? (end - held_.begin).count : 0;
      held_.bytes = held_.bytes.first(std::min<std::uint64_t>(held_.bytes.size(), to_end));
      if (held_.find(chunk, sizeof(ChunkHeader)) != nullptr) return;
    }
    copy_.resize(kSize);
    const auto room = std::span(copy_).first(std::min<std::uint64_t>(wanted, kSize));
    held_ = {chunk, room.first(memory_.read(chunk, room))};
  }

  const MemoryReader& memory_;
  const MemoryView* view_;  // of the same, where it is one
  HeldBytes held_;          // of the view, or of copy_
  std::vector<std::byte> copy_;
};

}  // namespace mini::heaps
