// Keeps every piece that a decoder hands out.
#pragma once

#include <stdexcept>
#include <vector>

#include "model/heap.h"

namespace mini::heaps {

class RecordingSink final : public model::PieceSink {
 public:
  void begin_region(const model::HeapRegion& region) override {
    regions_.push_back(region.range);
    expected_ = region.range.begin;
  }
  void piece(const model::HeapPiece& piece) override {
    touching_ = touching_ && piece.range.begin == expected_ && !piece.range.empty();
    expected_ = piece.range.end;
    pieces_.push_back(piece);
  }
  void end_region() override { touching_ = touching_ && expected_ == regions_.back().end; }

  const std::vector<model::HeapPiece>& taken() const { return pieces_; }
  const std::vector<AddressRange>& regions() const { return regions_; }
  bool covers_regions() const { return touching_ && !regions_.empty(); }

  /// The piece whose user address that is.
  const model::HeapPiece& at(Address user) const {
    for (const model::HeapPiece& piece : pieces_) {
      if (piece.user() == user) return piece;
    }
    throw std::out_of_range("no piece with that user address");
  }
  model::PieceUse use_of(Address user) const { return at(user).use; }
  const model::HeapPiece& containing(Address address) const {
    for (const model::HeapPiece& piece : pieces_) {
      if (piece.range.contains(address)) return piece;
    }
    throw std::out_of_range("no piece there");
  }
  Bytes sum(model::PieceUse use) const {
    Bytes total;
    for (const model::HeapPiece& piece : pieces_) {
      if (piece.use == use) total += piece.range.size();
    }
    return total;
  }
  std::uint64_t count(model::PieceUse use) const {
    std::uint64_t total = 0;
    for (const model::HeapPiece& piece : pieces_) total += piece.use == use ? 1 : 0;
    return total;
  }

 private:
  std::vector<model::HeapPiece> pieces_;
  std::vector<AddressRange> regions_;
  Address expected_;
  bool touching_ = true;
};

}  // namespace mini::heaps
