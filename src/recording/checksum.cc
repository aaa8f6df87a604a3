// XXH64 after its public specification.
#include "recording/checksum.h"

#include <array>
#include <bit>
#include <cstddef>

#include "recording/bytes.h"

namespace mini::recording {

namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5;

std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

/// The bytes in stripes of 32, by four lanes; leaves what is over in `bytes`.
std::uint64_t hash_stripes(std::span<const std::uint8_t>& bytes) {
  std::array<std::uint64_t, 4> lanes{kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
  while (bytes.size() >= 32) {
    for (std::size_t i = 0; i < 4; ++i) {
      lanes[i] = round(lanes[i], load_number<std::uint64_t>(bytes.data() + 8 * i));
    }
    bytes = bytes.subspan(32);
  }
  std::uint64_t hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
                       std::rotl(lanes[3], 18);
  for (const std::uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  return hash;
}

}  // namespace

std::uint64_t xxh64(std::span<const std::uint8_t> bytes) {
  const std::uint64_t size = bytes.size();
  std::uint64_t hash = (size >= 32 ? hash_stripes(bytes) : kPrime5) + size;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    hash ^= round(0, load_number<std::uint64_t>(bytes.data()));
    hash = std::rotl(hash, 27) * kPrime1 + kPrime4;
  }
  if (bytes.size() >= 4) {
    hash ^= load_number<std::uint32_t>(bytes.data()) * kPrime1;
    hash = std::rotl(hash, 23) * kPrime2 + kPrime3;
    bytes = bytes.subspan(4);
  }
  for (const std::uint8_t byte : bytes) hash = std::rotl(hash ^ (byte * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace mini::recording
