#include "lab/stage_heap.h"

#include <cstdint>
#include <cstring>

#include "kernel/process_memory.h"

namespace mini::lab {
namespace {

constexpr std::size_t kSizeOffset = 8;  // in a chunk
constexpr std::uint64_t kFlags = 15;    // in its size
constexpr std::uint64_t kFree = 1;      // of them
constexpr std::uint64_t kFenceBytes = 16;
constexpr std::uint64_t kSmallestChunk = 32;

}  // namespace

std::vector<StripPiece> stage_chunks(std::span<const std::byte> heap) {
  std::vector<StripPiece> chunks;
  while (heap.size() >= kFenceBytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, heap.data() + kSizeOffset, sizeof word);
    const std::uint64_t size = word & ~kFlags;
    const bool is_chunk = size == kFenceBytes || size >= kSmallestChunk;
    if (!is_chunk || size > heap.size()) break;
    chunks.push_back({.size = Bytes{size}, .is_free = (word & kFree) != 0});
    heap = heap.subspan(size);
  }
  return chunks;
}

Result<std::vector<StripPiece>> read_stage_heap(pid_t pid, AddressRange heap) {
  std::vector<std::byte> copy(heap.size().count);
  if (kernel::ProcessMemory(pid).read(heap.begin, copy) != copy.size()) {
    return fail("the program's heap cannot be read");
  }
  return stage_chunks(copy);
}

}  // namespace mini::lab
