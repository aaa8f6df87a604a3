// Which pieces of a heap somebody wants to see, and those that there are.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/heap.h"

namespace mini::model {

struct PieceFilter {
  std::optional<std::uint32_t> arena = {};  // kNoArena: mmapped chunks
  Bytes least_size = {};
  Bytes most_size = {UINT64_MAX};
  bool only_free = false;
  bool only_live = false;
  std::size_t most = 100;  // pieces kept
};

/// Keeps the first pieces that a filter lets through, and counts all of them; and, where an address
/// is asked for, the piece that it is in with its neighbours.
class PieceQuery final : public PieceSink {
 public:
  PieceQuery(std::optional<PieceFilter> filter, std::optional<Address> around)
      : filter_(filter), around_(around) {}

  void restart() override {
    kept_.clear();
    matching_ = 0;
    matching_size_ = {};
    place_.reset();
  }
  void begin_region(const HeapRegion& /*region*/) override { end_region(); }
  void piece(const HeapPiece& piece) override {
    if (filter_ && matches(*filter_, piece)) {
      ++matching_;
      matching_size_ += piece.range.size();
      if (kept_.size() < filter_->most) kept_.push_back(piece);
    }
    if (around_) look(*around_, piece);
  }
  void end_region() override {
    previous_.reset();
    wants_next_ = false;
    is_in_part_ = false;
  }

  const std::vector<HeapPiece>& kept() const { return kept_; }
  std::uint64_t matching() const { return matching_; }
  Bytes matching_size() const { return matching_size_; }

  /// What the address is in.
  struct Place {
    AddressRange part;  // of the region: pieces of one arena, side by side
    std::optional<HeapPiece> before;
    HeapPiece piece;
    std::optional<HeapPiece> after;
  };
  const std::optional<Place>& place() const { return place_; }

 private:
  static bool matches(const PieceFilter& filter, const HeapPiece& piece) {
    const Bytes size = piece.range.size();
    return (!filter.arena || *filter.arena == piece.arena) && filter.least_size <= size &&
           size <= filter.most_size && (!filter.only_free || is_free(piece.use)) &&
           (!filter.only_live || piece.use == PieceUse::kLive);
  }
  void look(Address around, const HeapPiece& piece) {
    const bool goes_on = previous_ && previous_->arena == piece.arena;
    if (!goes_on) part_begin_ = piece.range.begin;
    if (wants_next_ && place_) place_->after = piece;
    is_in_part_ = is_in_part_ && goes_on;
    if (is_in_part_ && place_) place_->part.end = piece.range.end;
    wants_next_ = piece.range.contains(around);
    if (wants_next_) {
      place_ = Place{{part_begin_, piece.range.end}, previous_, piece, {}};
      is_in_part_ = true;
    }
    previous_ = piece;
  }

  std::optional<PieceFilter> filter_;
  std::optional<Address> around_;
  std::vector<HeapPiece> kept_;
  std::uint64_t matching_ = 0;
  Bytes matching_size_;
  Address part_begin_;
  std::optional<HeapPiece> previous_;
  bool wants_next_ = false;
  bool is_in_part_ = false;
  std::optional<Place> place_;
};

}  // namespace mini::model
