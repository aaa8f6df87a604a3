// Names of glibc's internal functions for builds we know, where its debug file is not installed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mini::unwind {

struct LibcSymbol {
  std::uint32_t address = 0;  // in the file's own numbering
  std::uint32_t size = 0;
  std::string_view name;
};

/// One build of libc.so.6 or ld-linux: facts taken from its distribution's debug package by
/// tools/make_libc_symbols.
struct LibcBuild {
  std::string_view build_id;              // lower-case hexadecimal
  std::string_view origin;                // "Debian 2.36-9+deb12u14 libc.so.6"
  std::span<const LibcSymbol> functions;  // by address
  std::span<const LibcSymbol> data;       // by address
};

/// nullptr where we do not know that build.
const LibcBuild* find_libc_build(std::span<const std::uint8_t> build_id);

/// The function `address` is in.
std::optional<LibcSymbol> function_at(const LibcBuild& build, std::uint64_t address);
/// A function or datum by name.
std::optional<LibcSymbol> symbol_named(const LibcBuild& build, std::string_view name);

}  // namespace mini::unwind
