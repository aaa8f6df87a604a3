// What a test's kernel has given away: ranges of addresses, each with its use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace mini::test {

/// Neighbours of the same use are one range, and no two ranges overlap.
class AddressRanges {
 public:
  enum class Use : std::uint8_t { kMapped, kReserved, kOccupied };
  struct Range {
    std::size_t bytes;
    Use use;
  };

  /// Whether nothing is in [at, at + bytes).
  bool is_free(const std::byte* at, std::size_t bytes) const;
  /// Whether all of it is of this use.
  bool is_all(Use use, const std::byte* at, std::size_t bytes) const;
  /// Makes all of it so, whatever it was.
  void set(std::byte* at, std::size_t bytes, Use use);
  void erase(std::byte* at, std::size_t bytes);

  std::size_t bytes(Use use) const;
  const std::map<std::byte*, Range>& all() const { return ranges_; }

 private:
  void split(std::byte* at);

  std::map<std::byte*, Range> ranges_;
};

}  // namespace mini::test
