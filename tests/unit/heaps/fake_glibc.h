// A target's memory with a libc in it whose malloc the tests lay out as they like.
#pragma once

#include <cstring>
#include <map>
#include <vector>

#include "base/memory_reader.h"
#include "heaps/glibc_layout.h"

namespace mini::heaps {

class FakeMemory final : public MemoryReader {
 public:
  void add(Address begin, std::size_t size) { regions_[begin] = std::vector<std::byte>(size); }

  void write(Address at, std::uint64_t value) { write_bytes(at, &value, sizeof value); }
  void write_int(Address at, std::int32_t value) { write_bytes(at, &value, sizeof value); }
  void write_text(Address at, std::string_view text) { write_bytes(at, text.data(), text.size()); }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    auto it = regions_.upper_bound(from);
    if (it == regions_.begin()) return 0;
    --it;
    const std::uint64_t offset = (from - it->first).count;
    if (offset >= it->second.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), it->second.size() - offset);
    std::memcpy(out.data(), it->second.data() + offset, count);
    return count;
  }

 private:
  void write_bytes(Address at, const void* bytes, std::size_t count) {
    auto it = std::prev(regions_.upper_bound(at));
    std::memcpy(it->second.data() + (at - it->first).count, bytes, count);
  }
  std::map<Address, std::vector<std::byte>> regions_;
};

/// libc's data segment with main_arena and mp_ as glibc 2.35 to 2.42 lays them out, used and empty.
struct FakeGlibc {
  static constexpr Address kData{0x7f0000000000};
  static constexpr std::size_t kDataSize = 0x5000;
  static constexpr Address kArena = kData + Bytes{0xc60};
  static constexpr Address kParameters = kData + Bytes{0x340};
  static constexpr Address kHeap{0x555555559000};

  explicit FakeGlibc(const GlibcLayout& which = glibc_layouts()[2]) : layout(which) {
    memory.add(kData, kDataSize);
    memory.add(kHeap, 0x21000);
    for (std::size_t i = 0; i < kBinsCount; ++i) {
      memory.write(link(i), bin(i).value);
      memory.write(link(i) + Bytes{8}, bin(i).value);
    }
    memory.write(kArena + Bytes{layout.top}, bin(0).value);
    memory.write(kArena + Bytes{layout.next}, kArena.value);
    const auto parameter = [&](std::size_t offset, std::uint64_t value) {
      memory.write(kParameters + Bytes{offset}, value);
    };
    parameter(0, 131072);
    parameter(8, 131072);
    parameter(16, 131072);
    parameter(24, 8);
    memory.write_int(kParameters + Bytes{layout.n_mmaps + 4}, 65536);
    parameter(layout.tcache_bins, 64);
    parameter(layout.tcache_bins + 8, layout.tcache_max_is_chunk ? 0x411 : 1032);
    parameter(layout.tcache_bins + 16, layout.tcache_max_is_chunk ? 16 : 7);
  }

  Address link(std::size_t index) const { return kArena + Bytes{layout.bins + index * 16}; }
  Address bin(std::size_t index) const { return link(index) - Bytes{16}; }

  void set_top(Address top, std::uint64_t size_field) {
    memory.write(kArena + Bytes{layout.top}, top.value);
    memory.write(top + Bytes{8}, size_field);
  }
  /// Puts one free chunk in a bin.
  void fill_bin(std::size_t index, Address chunk) {
    memory.write(link(index), chunk.value);
    memory.write(link(index) + Bytes{8}, chunk.value);
    memory.write(chunk + Bytes{16}, bin(index).value);
    memory.write(chunk + Bytes{24}, bin(index).value);
  }

  GlibcLayout layout;
  FakeMemory memory;
};

}  // namespace mini::heaps
