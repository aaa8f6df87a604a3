// A MemoryReader before another one that keeps what it read, in blocks of a few pages: for decoders
// that follow links from one place to the next, where each read of another process would be a
// system call.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/memory_view.h"

namespace mini::heaps {

/// What was read once is not read again: REQUIRES that the memory does not change meanwhile, or
/// that an old value is as good as a new one. Not thread-safe. Large reads pass it by.
class PageCache final : public MemoryReader {
 public:
  explicit PageCache(const MemoryReader& memory)
      : memory_(memory), view_(dynamic_cast<const MemoryView*>(&memory)), slots_(kSlots) {}

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (out.size() > kPage) return memory_.read(from, out);
    if (const std::byte* const here = at_hand(from, out.size())) {
      std::memcpy(out.data(), here, out.size());
      return out.size();
    }
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint64_t at = from.value + done;
      if (at < from.value) break;
      const Slot& slot = slot_of(at / kBlock);
      const std::size_t offset = at % kBlock;
      const std::size_t readable = slot.readable.at(offset / kPage);
      if (offset % kPage >= readable) break;
      const std::size_t count = std::min(out.size() - done, readable - offset % kPage);
      std::memcpy(out.data() + done, slot.bytes.data() + offset, count);
      done += count;
    }
    return done;
  }

  /// As MemoryReader's, without a call where the object is at hand.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  std::optional<T> read_object(Address from) const {
    const std::byte* const here = at_hand(from, sizeof(T));
    if (here == nullptr) return MemoryReader::read_object<T>(from);
    T object;
    std::memcpy(&object, here, sizeof object);
    return object;
  }

  /// Has the processor fetch what will be read soon, where it is at hand.
  void fetch(Address from) const { __builtin_prefetch(at_hand(from, 1)); }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kPages = 4;  // of a block
  static constexpr std::size_t kBlock = kPages * kPage;
  static constexpr std::size_t kSlots = 1024;  // 16 MiB

  struct Slot {
    std::uint64_t block = UINT64_MAX;
    std::array<std::size_t, kPages> readable{};  // bytes of each page, from its begin
    std::vector<std::byte> bytes;
  };

  /// Where the view has so many bytes; nullptr where it has not. What it said last is tried first.
  const std::byte* at_hand(Address from, std::size_t size) const {
    const std::byte* const here = held_.find(from, size);
    if (here != nullptr || view_ == nullptr) return here;
    held_ = view_->held_around(from);
    return held_.find(from, size);
  }

  const Slot& slot_of(std::uint64_t block) const {
    Slot& slot = slots_[block % kSlots];
    if (slot.block != block) fill(slot, block);
    return slot;
  }

  /// In one go; where that stops early (a mapping begins or ends within the block), page by page.
  void fill(Slot& slot, std::uint64_t block) const {
    slot.bytes.resize(kBlock);
    slot.block = block;
    const bool whole = memory_.read(Address{block * kBlock}, slot.bytes) == kBlock;
    slot.readable.fill(whole ? kPage : 0);
    for (std::size_t i = 0; !whole && i < kPages; ++i) {
      const auto page = std::span(slot.bytes).subspan(i * kPage, kPage);
      slot.readable.at(i) = memory_.read(Address{block * kBlock + i * kPage}, page);
    }
  }

  const MemoryReader& memory_;
  const MemoryView* view_;  // of the same, where it is one: what is at hand needs no cache
  mutable HeldBytes held_;  // that the view answered last
  mutable std::vector<Slot> slots_;
};

}  // namespace mini::heaps
