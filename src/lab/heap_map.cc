#include "lab/heap_map.h"

#include <fmt/format.h>
#include <string_view>

#include "base/text.h"

namespace mini::lab {
namespace {

std::string_view use_in_words(model::PieceUse use) {
  switch (use) {
    case model::PieceUse::kLive:
      return "live";
    case model::PieceUse::kCached:
      return "free, in the thread's cache";
    case model::PieceUse::kFastbin:
      return "free, in a fast bin";
    case model::PieceUse::kUnsorted:
      return "free, in the unsorted bin";
    case model::PieceUse::kSmallbin:
      return "free, in a small bin";
    case model::PieceUse::kLargebin:
      return "free, in a large bin";
    case model::PieceUse::kTop:
      return "top chunk: free, the end of the heap";
    case model::PieceUse::kAllocator:
      return "allocator's own";
    case model::PieceUse::kForeign:
      return "not malloc's";
    case model::PieceUse::kSlab:
      return "free, in its slab";
    case model::PieceUse::kDepot:
      return "free, on its way from a thread's cache";
    case model::PieceUse::kFreePages:
      return "free pages";
    case model::PieceUse::kSlabRest:
      return "the end of a slab";
    case model::PieceUse::kUnknown:
      break;
  }
  return "unknown";
}

struct Run {
  const model::HeapPiece* first;
  std::uint64_t count = 1;
};

bool alike(const model::HeapPiece& a, const model::HeapPiece& b) {
  return a.use == b.use && a.range.size() == b.range.size();
}

}  // namespace

std::string draw_heap(const SeenHeap& seen, const PieceNames& names) {
  std::vector<Run> runs;
  Address start;
  for (const model::HeapPiece& piece : seen.pieces) {
    if (piece.arena != 0) continue;
    if (runs.empty()) start = piece.range.begin;
    const bool named = names.contains(piece.user());
    const bool joins = !runs.empty() && !named && alike(*runs.back().first, piece) &&
                       !names.contains(runs.back().first->user());
    if (joins) {
      ++runs.back().count;
    } else {
      runs.push_back({&piece});
    }
  }
  std::string text = fmt::format("  {:<16}{:>14}  what it is\n", "heap start +", "bytes");
  for (const Run& run : runs) {
    const model::HeapPiece& piece = *run.first;
    const std::uint64_t each = piece.range.size().count;
    const std::string size =
        run.count == 1 ? format_count(each) : fmt::format("{} x {}", run.count, each);
    const auto name = names.find(piece.user());
    text += fmt::format("  {:<16}{:>14}  {}{}\n",
                        fmt::format("0x{:05x}", (piece.range.begin - start).count), size,
                        use_in_words(piece.use), name == names.end() ? "" : ": " + name->second);
  }
  return text;
}

}  // namespace mini::lab
