#include "model/heap.h"

#include <array>

namespace mini::model {

std::string_view piece_use_name(PieceUse use) {
  static constexpr std::array<std::string_view, kPieceUseCount> kNames = {
      "live",  "cached",     "fastbin", "unsorted",  "smallbin",  "largebin", "slab",
      "depot", "free_pages", "top",     "allocator", "slab_rest", "foreign",  "unknown"};
  return kNames.at(static_cast<std::size_t>(use));
}

}  // namespace mini::model
