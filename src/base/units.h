// The quantities of this project as types: a byte count and an address never meet by accident.
#pragma once

#include <compare>
#include <cstdint>

namespace mini {

/// A number of bytes.
struct Bytes {
  std::uint64_t count = 0;

  friend constexpr auto operator<=>(Bytes, Bytes) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
  friend constexpr Bytes operator*(Bytes a, std::uint64_t n) { return {a.count * n}; }
  constexpr Bytes& operator+=(Bytes b) { return count += b.count, *this; }
  constexpr Bytes& operator-=(Bytes b) { return count -= b.count, *this; }
};

/// An address in a target's address space; never one of ours.
struct Address {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(Address, Address) = default;
  friend constexpr Address operator+(Address a, Bytes n) { return {a.value + n.count}; }
  friend constexpr Address operator-(Address a, Bytes n) { return {a.value - n.count}; }
  friend constexpr Bytes operator-(Address a, Address b) { return {a.value - b.value}; }
};

/// The half-open range [begin, end). INVARIANT of every range we make: begin <= end.
struct AddressRange {
  Address begin;
  Address end;

  friend constexpr bool operator==(AddressRange, AddressRange) = default;
  constexpr Bytes size() const { return end - begin; }
  constexpr bool empty() const { return begin == end; }
  constexpr bool contains(Address a) const { return begin <= a && a < end; }
  constexpr bool contains(AddressRange r) const { return begin <= r.begin && r.end <= end; }
  constexpr bool overlaps(AddressRange r) const { return begin < r.end && r.begin < end; }
};

inline constexpr Bytes kKiB{1024};
inline constexpr Bytes kMiB{1024 * 1024};
inline constexpr Bytes kGiB{1024 * 1024 * 1024};

}  // namespace mini
