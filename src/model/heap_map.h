// How much of each part of a heap is live: what a drawing of it needs, in bounded memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/heap.h"

namespace mini::model {

/// A region of the heap in units of HeapMap::unit(), the first of which may begin before it.
struct MapRegion {
  AddressRange range;
  std::uint32_t arena = kNoArena;
  std::vector<std::uint64_t> live;  // bytes of live pieces in each unit
};

/// Begins with units of a page; where there would be more than kMostUnits, twice as large ones take
/// their place.
class HeapMap final : public PieceSink {
 public:
  static constexpr std::size_t kMostUnits = std::size_t{1} << 20;

  /// `only`: what is outside is left out.
  explicit HeapMap(std::optional<AddressRange> only = {}, Bytes page_size = {4096})
      : only_(only), unit_(page_size) {}

  void restart() override {
    regions_.clear();
    units_ = 0;
  }
  void begin_region(const HeapRegion& region) override;
  void piece(const HeapPiece& piece) override;
  void end_region() override {}

  Bytes unit() const { return unit_; }
  /// In the order in which they came.
  const std::vector<MapRegion>& regions() const { return regions_; }

 private:
  std::uint64_t number_of(Address address) const { return address.value / unit_.count; }
  std::size_t units_of(AddressRange range) const;
  void double_unit();

  std::optional<AddressRange> only_;
  Bytes unit_;
  std::vector<MapRegion> regions_;
  std::size_t units_ = 0;
  bool is_inside_ = false;  // the region that pieces come of
};

}  // namespace mini::model
