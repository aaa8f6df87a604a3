// How many live blocks there are of each size, to the byte: what two looks at a heap are compared
// by.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/seeded_hash.h"
#include "model/heap.h"

namespace mini::model {

struct BlockSizeRow {
  Bytes block_size;  // usable
  std::uint64_t blocks = 0;

  Bytes size() const { return block_size * blocks; }
};

class BlockSizes final : public PieceSink {
 public:
  void restart() override {
    small_.clear();
    large_.clear();
  }
  void begin_region(const HeapRegion&) override {}
  void piece(const HeapPiece& piece) override {
    if (piece.use != PieceUse::kLive) return;
    const std::uint64_t size = (piece.range.size() - piece.header).count;
    if (size < kSmall) {
      small_.resize(kSmall);
      ++small_[size];
    } else {
      ++large_[size];
    }
  }
  void pieces(std::span<const HeapPiece> several) override {
    for (const HeapPiece& one : several) piece(one);  // with no call for each
  }
  void end_region() override {}

  /// Those with the most bytes first.
  std::vector<BlockSizeRow> rows() const {
    std::vector<BlockSizeRow> rows;
    for (std::size_t size = 0; size < small_.size(); ++size) {
      if (small_[size] != 0) rows.push_back({{size}, small_[size]});
    }
    for (const auto& [size, blocks] : large_) rows.push_back({{size}, blocks});
    std::ranges::sort(rows, [](const BlockSizeRow& a, const BlockSizeRow& b) {
      return a.size() != b.size() ? a.size() > b.size() : a.block_size < b.block_size;
    });
    return rows;
  }

 private:
  static constexpr std::uint64_t kSmall = 4096;
  std::vector<std::uint64_t> small_;  // by size
  SeededMap<std::uint64_t, std::uint64_t> large_;
};

}  // namespace mini::model
