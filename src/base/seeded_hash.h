// A hash of numbers that come from elsewhere, perhaps from an adversary: nobody can know which of
// them meet in a table. The standard library's own is the number itself, and a table has one of few
// known sizes: a megabyte of chosen addresses would take minutes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <unordered_map>

namespace mini {

/// Differs from table to table. No result may depend on the order of a table that uses it.
class SeededHash {
 public:
  SeededHash() : multiplier_((std::uint64_t{std::random_device()()} << 32U) | 0x9e37'79b9U) {}
  std::size_t operator()(std::uint64_t number) const {
    const std::uint64_t mixed = number * multiplier_;
    return mixed ^ mixed >> 32U;
  }

 private:
  std::uint64_t multiplier_;
};

template <typename Number, typename Value>
using SeededMap = std::unordered_map<Number, Value, SeededHash>;

}  // namespace mini
