#include "lab/stage_plan.h"

#include <algorithm>

namespace mini::lab {
namespace {

constexpr Bytes kAlignment{16};
constexpr Bytes kSmallestChunk{32};  // from stage 3 on: header and links
constexpr int kFirstWithHeader = 2;
constexpr int kFirstWithList = 3;
constexpr int kFirstWithStock = 7;

Bytes round_up(Bytes bytes, Bytes unit) {
  return Bytes{(bytes.count + unit.count - 1) / unit.count * unit.count};
}

}  // namespace

Bytes stage_chunk(int stage, Bytes request) {
  const Bytes header = stage >= kFirstWithHeader ? kStageHeader : Bytes{};
  const Bytes chunk = round_up(header + request, kAlignment);
  return stage >= kFirstWithList ? std::max(chunk, kSmallestChunk) : chunk;
}

std::uint64_t stage_growths(int stage, Bytes request, std::uint64_t blocks) {
  if (stage < kFirstWithStock) return blocks;
  const Bytes chunk = stage_chunk(stage, request);
  std::uint64_t growths = 0;
  Bytes top;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    if (top < chunk) {
      ++growths;
      top += chunk + kStageStock;
    }
    top -= chunk;
    if (top < kSmallestChunk) top = Bytes{};  // too short to be cut off: the block has it
  }
  return growths;
}

}  // namespace mini::lab
