// libminimalloc's decoder over hostile memory: must neither crash nor hang, whatever a target
// holds.
//
// Input: 8 bytes of choices, then the bytes of memory at a fixed address, where a file that may
// hold the library begins. What lies beyond it reads as the same bytes again at each multiple of 64
// KiB, so that links can lead somewhere.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "fuzz_target.h"
#include "heaps/minimalloc_heap.h"

namespace {

constexpr mini::Address kImage{0x10000};
constexpr std::size_t kChoices = 8;

class FuzzMemory final : public mini::MemoryReader {
 public:
  explicit FuzzMemory(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t read(mini::Address from, std::span<std::byte> out) const override {
    constexpr std::uint64_t kMirror = 0x10000;
    if (from < kImage || bytes_.empty()) return 0;
    const std::uint64_t offset = from.value % kMirror;
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    if (count != 0) std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Pieces come in order, touch, and cover their region, whatever the heap is like.
class OrderedSink final : public mini::model::PieceSink {
 public:
  void begin_region(const mini::model::HeapRegion& region) override {
    region_ = region.range;
    at_ = region.range.begin;
  }
  void piece(const mini::model::HeapPiece& piece) override {
    if (piece.range.begin != at_ || piece.range.empty()) __builtin_trap();
    if (piece.header > piece.range.size()) __builtin_trap();
    at_ = piece.range.end;
  }
  void end_region() override {
    if (at_ != region_.end) __builtin_trap();
  }

 private:
  mini::AddressRange region_;
  mini::Address at_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kChoices || size > 0x8000) return 0;
  const std::span<const std::uint8_t> choices(data, kChoices);
  const FuzzMemory memory(std::span(data + kChoices, size - kChoices));
  const auto search = mini::heaps::locate_minimalloc(memory, kImage);
  if (!search.layout) return 0;
  mini::heaps::MinimallocTarget target{
      .layout = *search.layout, .threads = {}, .writable = {}, .is_still = (choices[0] & 1) != 0};
  target.threads.push_back({.id = 1, .thread_pointer = mini::Address{0x7000 + choices[1] * 8ULL}});
  const mini::Bytes shift{choices[2] * 0x1000ULL};
  target.writable.push_back({kImage, kImage + mini::Bytes{0x8000}});
  target.writable.push_back({mini::Address{0x400000} + shift, mini::Address{0x410000} + shift});
  target.writable.push_back({mini::Address{0x410000} + shift, mini::Address{0x500000} + shift});
  OrderedSink sink;
  mini::heaps::has_minimalloc_heap(memory, *search.layout);
  const mini::model::Heap heap = mini::heaps::read_minimalloc_heap(memory, target, sink);
  if (heap.damages.size() > heap.damages_count) __builtin_trap();
  return 0;
}
