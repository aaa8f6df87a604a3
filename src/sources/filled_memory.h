// A process's memory of which only present pages are read, made whole: what was never touched is
// as the file has it that is mapped there, or zeros.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "base/memory_reader.h"

namespace mini::sources {

class FilledMemory final : public MemoryReader {
 public:
  /// All must outlive it. `anonymous`: mappings without a file, by address.
  FilledMemory(const MemoryReader& memory, const MemoryReader& files,
               std::span<const AddressRange> anonymous)
      : memory_(memory), files_(files), anonymous_(anonymous) {}

  std::size_t read(Address from, std::span<std::byte> out) const override {
    std::size_t done = memory_.read(from, out);
    while (done < out.size() && from.value + done >= from.value) {
      const Address at = from + Bytes{done};
      // A page is there or not as a whole.
      const std::size_t rest = std::min(out.size() - done, kPage - at.value % kPage);
      const std::span<std::byte> page = out.subspan(done, rest);
      if (!fill(at, page)) break;
      done += rest;
      done += memory_.read(from + Bytes{done}, out.subspan(done));
    }
    return done;
  }

 private:
  static constexpr std::size_t kPage = 4096;

  bool fill(Address at, std::span<std::byte> page) const {
    if (files_.read(at, page) == page.size()) return true;
    const auto after = std::ranges::upper_bound(anonymous_, at, {}, &AddressRange::begin);
    if (after == anonymous_.begin() || !std::prev(after)->contains(at)) return false;
    std::memset(page.data(), 0, page.size());
    return true;
  }

  const MemoryReader& memory_;
  const MemoryReader& files_;
  std::span<const AddressRange> anonymous_;
};

}  // namespace mini::sources
