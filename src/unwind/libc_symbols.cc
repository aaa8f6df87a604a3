// Names of glibc's internal functions for builds we know.
#include "unwind/libc_symbols.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <string>

namespace mini::unwind {
namespace {

#include "unwind/libc_symbols.inc"

}  // namespace

const LibcBuild* find_libc_build(std::span<const std::uint8_t> build_id) {
  const std::string id = fmt::format("{:02x}", fmt::join(build_id, ""));
  const auto found = std::ranges::find(kLibcBuilds, id, &LibcBuild::build_id);
  return found == std::end(kLibcBuilds) ? nullptr : &*found;
}

std::optional<LibcSymbol> function_at(const LibcBuild& build, std::uint64_t address) {
  const auto after = std::ranges::upper_bound(build.functions, address, {}, &LibcSymbol::address);
  if (after == build.functions.begin()) return std::nullopt;
  const LibcSymbol& symbol = *std::prev(after);
  if (address - symbol.address >= symbol.size) return std::nullopt;
  return symbol;
}

std::optional<LibcSymbol> symbol_named(const LibcBuild& build, std::string_view name) {
  for (const auto symbols : {build.functions, build.data}) {
    const auto found = std::ranges::find(symbols, name, &LibcSymbol::name);
    if (found != symbols.end()) return *found;
  }
  return std::nullopt;
}

}  // namespace mini::unwind
