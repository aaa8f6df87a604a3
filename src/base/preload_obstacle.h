// Why a program goes without a library that is to be preloaded into it, or makes no use of it.
#pragma once

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

/// Whether LD_PRELOAD can hold a path: it ends at spaces and colons there.
constexpr bool is_preloadable(std::string_view path) {
  return path.find_first_of(" :") == std::string_view::npos;
}

}  // namespace mini
