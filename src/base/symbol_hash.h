// What an ELF file's dynamic symbols are searched by: hashes of names, and a mark of versions.
#pragma once

#include <cstdint>
#include <string_view>

namespace mini {

/// Of DT_GNU_HASH: glibc's elf/dl-lookup.c.
constexpr std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

/// Of DT_HASH: System V gABI, chapter 5.
constexpr std::uint32_t sysv_hash(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    const std::uint32_t top = hash & 0xf0000000U;
    hash = (hash ^ top >> 24) & ~top;
  }
  return hash;
}

/// In DT_VERSYM: of a version that only programs ask for that were linked with an older library.
inline constexpr std::uint16_t kHiddenVersion = 0x8000;

}  // namespace mini
