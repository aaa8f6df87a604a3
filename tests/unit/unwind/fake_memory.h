// A target's memory without a target: mapped ranges whose words hold their own address, unless
// written.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "base/memory_reader.h"

namespace mini::unwind {

class FakeMemory : public MemoryReader {
 public:
  void map(std::uint64_t begin, std::uint64_t size) {
    std::vector<std::byte>& bytes = ranges_[begin];
    bytes.resize(static_cast<std::size_t>(size));
    for (std::uint64_t i = 0; i + 8 <= size; i += 8) write(begin + i, begin + i);
  }
  void write(std::uint64_t address, std::uint64_t value) {
    auto range = std::prev(ranges_.upper_bound(address));
    std::memcpy(range->second.data() + (address - range->first), &value, sizeof value);
  }
  std::size_t read(Address from, std::span<std::byte> out) const override {
    ++reads_count;
    auto range = ranges_.upper_bound(from.value);
    if (range == ranges_.begin()) return 0;
    --range;
    const std::uint64_t offset = from.value - range->first;
    if (offset >= range->second.size()) return 0;
    const std::size_t size = std::min(out.size(), range->second.size() - offset);
    std::memcpy(out.data(), range->second.data() + offset, size);
    bytes_count += size;
    return size;
  }

  mutable std::size_t reads_count = 0;
  mutable std::size_t bytes_count = 0;

 private:
  std::map<std::uint64_t, std::vector<std::byte>> ranges_;
};

}  // namespace mini::unwind
