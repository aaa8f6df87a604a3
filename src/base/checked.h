// Arithmetic on numbers that come from a hostile target: it overflows into nullopt, never wraps.
#pragma once

#include <concepts>
#include <optional>

#include "base/units.h"

namespace mini {

template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::integral T>
constexpr std::optional<T> checked_multiply(T a, T b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// [begin, begin + size), or nullopt where that passes the end of the address space.
constexpr std::optional<AddressRange> checked_range(Address begin, Bytes size) {
  const auto end = checked_add(begin.value, size.count);
  if (!end) return std::nullopt;
  return AddressRange{begin, Address{*end}};
}

/// The least multiple of `step` that is >= n. REQUIRES: step is a power of two.
constexpr std::optional<Bytes> checked_round_up(Bytes n, Bytes step) {
  const auto sum = checked_add(n.count, step.count - 1);
  if (!sum) return std::nullopt;
  return Bytes{*sum & ~(step.count - 1)};
}

}  // namespace mini
