// Finds glibc's malloc by its structure and reads its state.
#include "heaps/glibc.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "heaps/glibc_layout.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {
namespace {

constexpr Bytes kLargestSearch = kMiB * 16;  // of a data segment; libc's own is 20 KiB
constexpr int kMostCandidates = 64;          // looked at closely; more means hostile memory
constexpr std::size_t kBannerWindow = 1 << 16;

// A copy of a part of the target's memory that answers by offset; what is outside reads as 0.
class Snapshot {
 public:
  Snapshot(const MemoryReader& memory, AddressRange range) : begin_(range.begin) {
    if (range.begin >= range.end) return;
    bytes_.resize(std::min(range.size(), kLargestSearch).count);
    bytes_.resize(memory.read(begin_, bytes_));
  }

  template <typename T>
  T at(std::size_t offset) const {
    T value{};
    if (offset <= bytes_.size() && bytes_.size() - offset >= sizeof value) {
      std::memcpy(&value, bytes_.data() + offset, sizeof value);
    }
    return value;
  }

  bool holds(std::size_t offset, std::size_t size) const {
    return offset <= bytes_.size() && bytes_.size() - offset >= size;
  }
  std::size_t size() const { return bytes_.size(); }
  Address address(std::size_t offset) const { return begin_ + Bytes{offset}; }

 private:
  Address begin_;
  std::vector<std::byte> bytes_;
};

Snapshot snapshot_of(const MemoryReader& memory, Address begin, std::size_t size) {
  const auto range = checked_range(begin, Bytes{size});
  return {memory, range.value_or(AddressRange{begin, begin})};
}

// What a snapshot looks like read as malloc_state at `base`.
class ArenaView {
 public:
  ArenaView(const Snapshot& snapshot, std::size_t base, const GlibcLayout& layout)
      : snapshot_(snapshot), base_(base), layout_(layout) {}

  bool complete() const { return snapshot_.holds(base_, layout_.state_size); }
  Address address() const { return snapshot_.address(base_); }
  Address next() const { return Address{field(layout_.next)}; }

  /// bin_at(1 + index): where a chunk would start whose fd and bk are the bin's two pointers.
  Address bin(std::size_t index) const {
    return snapshot_.address(base_ + layout_.bins + index * 16 - 16);
  }
  Address first(std::size_t index) const { return Address{field(layout_.bins + index * 16)}; }
  Address last(std::size_t index) const { return Address{field(layout_.bins + index * 16 + 8)}; }

  bool counters_make_sense() const {
    const auto flags = snapshot_.at<std::uint32_t>(base_ + kFlagsOffset);
    return flags <= 3 && field(layout_.system_mem) <= field(layout_.max_system_mem);
  }
  /// As in a libc whose malloc was not used yet: every bin is zero.
  bool unused() const {
    for (std::size_t i = 0; i < kBinsCount; ++i) {
      if (first(i) != Address{} || last(i) != Address{}) return false;
    }
    return true;
  }
  /// By itself: every bin is linked to itself, or elsewhere at both ends; but for the one that a
  /// thread may just link.
  bool bins_are_plausible() const {
    int half_linked = 0;
    for (std::size_t i = 0; i < kBinsCount; ++i) {
      const bool has_first = first(i) != bin(i);
      const bool has_last = last(i) != bin(i);
      if (has_first && !is_chunk(i, first(i))) return false;
      if (has_last && !is_chunk(i, last(i))) return false;
      if (has_first != has_last && ++half_linked > 1) return false;
    }
    return true;
  }

 private:
  std::uint64_t field(std::size_t offset) const {
    return snapshot_.at<std::uint64_t>(base_ + offset);
  }
  bool is_chunk(std::size_t index, Address address) const {
    return address != Address{} && address.value % model::kChunkAlignment.count == 0 &&
           address != bin(index);
  }

  const Snapshot& snapshot_;
  std::size_t base_;
  const GlibcLayout& layout_;
};

std::optional<Address> read_pointer(const MemoryReader& memory, Address at) {
  const auto value = memory.read_object<std::uint64_t>(at);
  if (!value) return std::nullopt;
  return Address{*value};
}

constexpr Bytes kForward{16};   // from a chunk, or from where a bin would be one, to its fd
constexpr Bytes kBackward{24};  // and to its bk

// Whether what `bin` leads to at its `side` leads back. Of a program that runs, both are read until
// they are of one moment.
bool links_back(const MemoryReader& memory, Address bin, Bytes side, Address chunk) {
  constexpr int kMostReadings = 4;
  const Bytes back = side == kForward ? kBackward : kForward;
  for (int readings = 0; readings < kMostReadings; ++readings) {
    if (chunk == bin || read_pointer(memory, chunk + back) == bin) return true;
    const auto now = read_pointer(memory, bin + side);
    if (!now) return false;
    chunk = *now;
  }
  return false;
}

// The chunks at both ends of every bin that is not empty link back to it. A few may not: the heap
// may be damaged, and is still a heap.
bool chunks_link_back(const MemoryReader& memory, const ArenaView& arena) {
  constexpr int kMostDamaged = 4;
  int damaged = 0;
  for (std::size_t i = 0; i < kBinsCount; ++i) {
    if (!links_back(memory, arena.bin(i), kForward, arena.first(i))) ++damaged;
    if (!links_back(memory, arena.bin(i), kBackward, arena.last(i))) ++damaged;
  }
  return damaged <= kMostDamaged;
}

// Following `next` from arena to arena leads back to the main one.
bool ring_closes(const MemoryReader& memory, const ArenaView& arena, const GlibcLayout& layout) {
  Address at = arena.next();
  Address mark = at;  // moved on ever more seldom: a ring without the main arena ends there
  for (std::size_t i = 0; i < kMostArenas; ++i) {
    if (at == arena.address()) return true;
    const auto next = read_pointer(memory, at + Bytes{layout.next});
    if (!next || *next == mark) return false;
    at = *next;
    if (std::has_single_bit(i + 1)) mark = at;
  }
  return false;
}

struct Found {
  Address address;
  int layout = 0;
};

using Places = std::vector<Found>;

// The one arena with parameters of the same layout; where there are several, those whose layout is
// that of the version. Versions share the layout of the one or of the other, hardly of both.
std::optional<std::pair<Found, Found>> choose(const Places& arenas, const Places& parameters,
                                              std::string_view version) {
  std::vector<std::pair<Found, Found>> pairs;
  for (const Found& arena : arenas) {
    for (const Found& par : parameters) {
      if (arena.layout == par.layout) pairs.emplace_back(arena, par);
    }
  }
  if (pairs.size() > 1) {
    std::erase_if(pairs, [&](const auto& pair) {
      return !layout_covers(glibc_layouts()[static_cast<std::size_t>(pair.first.layout)], version);
    });
  }
  const bool same = !pairs.empty() && std::ranges::all_of(pairs, [&](const auto& pair) {
    return pair.first.address == pairs.front().first.address &&
           pair.second.address == pairs.front().second.address;
  });
  return same ? std::optional(pairs.front()) : std::nullopt;
}

bool is_main_arena(const MemoryReader& memory, const ArenaView& arena, const GlibcLayout& layout,
                   int& checks_left) {
  if (!arena.complete() || arena.next() == Address{} || !arena.counters_make_sense()) return false;
  if (!arena.bins_are_plausible() || --checks_left < 0) return false;
  return chunks_link_back(memory, arena) && ring_closes(memory, arena, layout);
}

Places search_main_arena(const MemoryReader& memory, const Snapshot& data) {
  int checks_left = kMostCandidates;
  Places found;
  for (std::size_t l = 0; l < glibc_layouts().size(); ++l) {
    const GlibcLayout& layout = glibc_layouts()[l];
    for (std::size_t base = 0; data.holds(base, layout.state_size); base += 8) {
      const ArenaView arena(data, base, layout);
      if (is_main_arena(memory, arena, layout, checks_left)) {
        found.push_back({arena.address(), static_cast<int>(l)});
      }
      if (checks_left < 0) return {};
    }
  }
  return found;
}

Places check_main_arena(const MemoryReader& memory, Address at) {
  int checks_left = kMostCandidates;
  Places found;
  for (std::size_t l = 0; l < glibc_layouts().size(); ++l) {
    const GlibcLayout& layout = glibc_layouts()[l];
    const Snapshot state = snapshot_of(memory, at, layout.state_size);
    const ArenaView arena(state, 0, layout);
    const bool fresh = arena.complete() && arena.unused() && arena.next() == at;
    if (fresh || is_main_arena(memory, arena, layout, checks_left)) {
      found.push_back({at, static_cast<int>(l)});
    }
  }
  return found;
}

// do_set_tcache_max: tcache_bins == index of the largest cached chunk + 1; from 2.42 on at most 64,
// the bins of one size each.
bool cache_parameters_agree(std::uint64_t bins, std::uint64_t most, const GlibcLayout& layout) {
  constexpr std::uint64_t kMostBins = 64;
  constexpr int kFirstWithLargeBins = 42;
  const auto largest = layout.tcache_max_is_chunk
                           ? std::optional(Bytes{(most - 1) & ~(model::kChunkAlignment.count - 1)})
                           : model::chunk_of_request(Bytes{most});
  if (most == 0 || !largest || *largest < model::kSmallestChunk || bins > kMostBins) return false;
  const std::uint64_t expected = model::thread_cache_index(*largest) + 1;
  return bins == expected ||
         (layout.last_minor >= kFirstWithLargeBins && expected > kMostBins && bins == kMostBins);
}

// Whether malloc_par may be at `base`: its fields that depend on each other agree.
bool is_parameters(const Snapshot& data, std::size_t base, const GlibcLayout& layout) {
  const auto word = [&](std::size_t offset) { return data.at<std::uint64_t>(base + offset); };
  const auto integer = [&](std::size_t offset) { return data.at<std::int32_t>(base + offset); };
  if (!data.holds(base, layout.par_size)) return false;
  if (!cache_parameters_agree(word(layout.tcache_bins), word(layout.tcache_bins + 8), layout) ||
      word(layout.tcache_bins + 16) > 0xffff) {
    return false;
  }
  const std::int32_t mmaps = integer(layout.n_mmaps);
  const std::int32_t most_mmaps = integer(layout.n_mmaps + 8);
  const std::int32_t fixed = integer(layout.no_dyn_threshold);
  // The threshold is between its default and its limit ("DEFAULT_MMAP_THRESHOLD_MAX") as long as no
  // mallopt or tunable has fixed it.
  const Bytes threshold{word(16)};
  if (fixed == 0 && (threshold < kKiB * 128 || threshold > kMiB * 32)) return false;
  return mmaps >= 0 && integer(layout.n_mmaps + 4) >= 0 && most_mmaps >= mmaps &&
         (fixed == 0 || fixed == 1) && word(layout.mmapped_mem) <= word(layout.max_mmapped_mem) &&
         word(layout.sbrk_base) % model::kChunkAlignment.count == 0;
}

Places search_parameters(const Snapshot& data) {
  Places found;
  for (std::size_t l = 0; l < glibc_layouts().size(); ++l) {
    const GlibcLayout& layout = glibc_layouts()[l];
    for (std::size_t base = 0; data.holds(base, layout.par_size); base += 8) {
      if (!is_parameters(data, base, layout)) continue;
      found.push_back({data.address(base), static_cast<int>(l)});
      if (found.size() > static_cast<std::size_t>(kMostCandidates)) return {};
    }
  }
  return found;
}

Places check_parameters(const MemoryReader& memory, Address at) {
  Places found;
  for (std::size_t l = 0; l < glibc_layouts().size(); ++l) {
    const GlibcLayout& layout = glibc_layouts()[l];
    const Snapshot state = snapshot_of(memory, at, layout.par_size);
    if (is_parameters(state, 0, layout)) found.push_back({at, static_cast<int>(l)});
  }
  return found;
}

// The digits and points that follow the banner's words in `text`.
std::string version_after_banner(std::string_view text) {
  constexpr std::string_view kBanner = "GNU C Library";
  constexpr std::string_view kRelease = " release version ";
  const auto banner = text.find(kBanner);
  if (banner == std::string_view::npos) return "";
  const auto release = text.find(kRelease, banner);
  if (release == std::string_view::npos || release - banner > 200) return "";
  text.remove_prefix(release + kRelease.size());
  text = text.substr(0, std::min(text.find_first_not_of("0123456789."), std::size_t{8}));
  while (text.ends_with('.')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

std::optional<GlibcMalloc> locate_glibc(const MemoryReader& memory, const GlibcHints& hints) {
  std::optional<Snapshot> data;
  if (!hints.main_arena || !hints.mp) data.emplace(memory, hints.data);
  const Places arenas = hints.main_arena ? check_main_arena(memory, *hints.main_arena)
                                         : search_main_arena(memory, *data);
  if (arenas.empty()) return std::nullopt;
  const Places parameters =
      hints.mp ? check_parameters(memory, *hints.mp) : search_parameters(*data);
  const auto found = choose(arenas, parameters, hints.version);
  if (!found) return std::nullopt;
  return GlibcMalloc{.main_arena = found->first.address,
                     .mp = found->second.address,
                     .layout = found->first.layout,
                     .version = hints.version};
}

std::string find_glibc_version(const MemoryReader& memory, AddressRange read_only_data) {
  if (read_only_data.begin >= read_only_data.end) return "";
  // Windows overlap by more than the banner's length, so that none is cut in every window.
  constexpr Bytes kStep{kBannerWindow / 2};
  const Bytes size = std::min(read_only_data.size(), kLargestSearch);
  std::vector<char> window(kBannerWindow);
  for (Bytes done; done < size; done += kStep) {
    const std::size_t wanted = std::min<std::uint64_t>(kBannerWindow, (size - done).count);
    const std::size_t got = memory.read(read_only_data.begin + done,
                                        std::as_writable_bytes(std::span(window).first(wanted)));
    std::string version = version_after_banner({window.data(), got});
    if (!version.empty()) return version;
    if (got < wanted) return "";
  }
  return "";
}

std::optional<model::MallocState> read_malloc_state(const MemoryReader& memory,
                                                    const GlibcMalloc& malloc) {
  struct Thresholds {
    std::uint64_t trim_threshold;
    std::uint64_t top_pad;
    std::uint64_t mmap_threshold;
  };
  const GlibcLayout& layout = glibc_layouts()[static_cast<std::size_t>(malloc.layout)];
  const Snapshot state = snapshot_of(memory, malloc.main_arena, layout.bins);
  const auto thresholds = memory.read_object<Thresholds>(malloc.mp);
  if (!thresholds || !state.holds(0, layout.bins)) return std::nullopt;

  model::MallocState result;
  result.glibc_version = malloc.version;
  result.top_pad = Bytes{thresholds->top_pad};
  result.mmap_threshold = Bytes{thresholds->mmap_threshold};
  result.trim_threshold = Bytes{thresholds->trim_threshold};
  result.contiguous = (state.at<std::uint32_t>(kFlagsOffset) & kNonContiguousFlag) == 0;
  const Address top{state.at<std::uint64_t>(layout.top)};
  // An arena without memory has the first bin for its top, or nothing before malloc's first use.
  if (top == Address{} || top == malloc.main_arena + Bytes{layout.bins - 16}) {
    result.top_bytes = Bytes{};
    return result;
  }
  if (top.value % model::kChunkAlignment.count != 0) return std::nullopt;
  result.top = top;
  // A chunk's size is in its second word, with three flags below; a top chunk's predecessor is
  // always in use.
  const auto size = memory.read_object<std::uint64_t>(top + Bytes{8});
  constexpr std::uint64_t kFlags = 7;
  constexpr std::uint64_t kPreviousInUse = 1;
  if (size && (*size & kPreviousInUse) != 0 && checked_range(top, Bytes{*size & ~kFlags})) {
    result.top_bytes = Bytes{*size & ~kFlags};
  }
  return result;
}

}  // namespace mini::heaps
