// Gives the same number to the same thing: what makes frames unique.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mini::recording {

/// Things numbered from 1, found by a key that is compared. Open addressing, at most half full; 8
/// to 16 bytes a thing, beside the thing. A find costs about 10 ns, one miss of the cache in large
/// ones.
template <typename Thing, typename Hash>
class NumberTable {
 public:
  NumberTable() : places_(kFirstPlaces) {}

  std::uint32_t count() const { return static_cast<std::uint32_t>(things_.size()); }
  /// REQUIRES: 0 < number <= count().
  const Thing& operator[](std::uint32_t number) const { return things_[number - 1]; }

  std::uint32_t find_or_add(const Thing& thing) {
    std::size_t place = home(thing);
    for (; places_[place] != 0; place = next(place)) {
      if (things_[places_[place] - 1] == thing) return places_[place];
    }
    things_.push_back(thing);
    places_[place] = count();
    if (things_.size() * 2 > places_.size()) grow();
    return count();
  }

 private:
  static constexpr std::size_t kFirstPlaces = 1024;

  // The high bits of the hash are the good ones.
  std::size_t home(const Thing& thing) const {
    return static_cast<std::size_t>(Hash()(thing) >> 20U) & (places_.size() - 1);
  }
  std::size_t next(std::size_t place) const { return (place + 1) & (places_.size() - 1); }

  void grow() {
    places_.assign(places_.size() * 2, 0);
    for (std::uint32_t number = 1; number <= count(); ++number) {
      std::size_t place = home(things_[number - 1]);
      while (places_[place] != 0) place = next(place);
      places_[place] = number;
    }
  }

  std::vector<Thing> things_;
  std::vector<std::uint32_t> places_;  // 0: free
};

}  // namespace mini::recording
