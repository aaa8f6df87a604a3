// libminimalloc's decoder over hostile memory: must neither crash nor hang, whatever a target
// holds.
//
// Input: 8 bytes of choices, then the bytes of memory at a fixed address, where a file that may
// hold the library begins. What lies beyond it reads as the same bytes again at each multiple of 64
// KiB, so that links can lead somewhere.
#include <cstdint>
#include <span>

#include "fuzz_target.h"
#include "heaps/minimalloc_heap.h"
#include "hostile_heap.h"

namespace {

constexpr mini::Address kImage = MirroredMemory::kBegin;
constexpr std::size_t kChoices = 8;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kChoices || size > 0x8000) return 0;
  const std::span<const std::uint8_t> choices(data, kChoices);
  const MirroredMemory memory(std::span(data + kChoices, size - kChoices));
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
