// Why a program goes without a library that is to be preloaded into it, or makes no use of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mini {

enum class PreloadObstacle : std::uint8_t {
  kNone,          // or none that can be told
  kStatic,        // it has no loader
  kOtherLibc,     // its loader is musl's
  kElf32,         // 32-bit code
  kOtherMachine,  // 64-bit code of another architecture
  kMoreRights,    // it runs with more rights than its user: the loader trusts no environment
  kOutOfReach,    // as its user it may not read the library, or not reach heapspy's memory
  kOwnMalloc,     // its own file comes before all libraries, and has a malloc
};

/// Of one that comes from elsewhere, and may be any number.
constexpr PreloadObstacle preload_obstacle(std::uint64_t number) {
  return number <= static_cast<std::uint64_t>(PreloadObstacle::kOwnMalloc)
             ? static_cast<PreloadObstacle>(number)
             : PreloadObstacle::kNone;
}

/// In words that follow "it"; "" of none.
constexpr std::string_view words_of(PreloadObstacle obstacle) {
  constexpr std::string_view kWords[] = {
      "",
      "is statically linked",
      "uses another C library (musl)",
      "is a 32-bit program",
      "is a program of another architecture",
      "runs with more rights than its user (set-user-ID, set-group-ID or capabilities)",
      "runs as another user, or in another root directory or container: out of heapspy's reach",
      "has a malloc of its own, whose blocks heapspy does not see"};
  return kWords[static_cast<std::uint8_t>(obstacle)];
}

/// Whether the loader puts something else in the place of a name that follows a "$" (ld.so(8),
/// "Dynamic string tokens").
constexpr bool is_loader_token(std::string_view text) {
  constexpr std::string_view kWordCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const bool is_in_braces = text.starts_with('{');
  if (is_in_braces) text.remove_prefix(1);
  const std::string_view name = text.substr(0, text.find_first_not_of(kWordCharacters));
  if (is_in_braces && !text.substr(name.size()).starts_with('}')) return false;
  return name == "ORIGIN" || name == "LIB" || name == "PLATFORM";
}

/// Whether LD_PRELOAD can hold a path: it ends at spaces and colons there, and tokens are expanded.
constexpr bool is_preloadable(std::string_view path) {
  if (path.find_first_of(" :") != std::string_view::npos) return false;
  for (std::size_t at = 0; (at = path.find('$', at)) != std::string_view::npos;) {
    if (is_loader_token(path.substr(++at))) return false;
  }
  return true;
}

}  // namespace mini
