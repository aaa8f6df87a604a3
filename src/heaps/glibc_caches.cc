// Thread caches. A thread's pointer to its cache is somewhere in its thread-local storage, which
// the thread pointer leads to; where, only symbols would tell. So every word there that leads to a
// chunk of the right size is looked at, and the cache is the one whose counters and lists agree.
#include <array>
#include <fmt/format.h>
#include <set>

#include "heaps/glibc_lists.h"

namespace mini::heaps {
namespace {

using model::HeapBin;
using model::HeapCache;
using model::PieceUse;

constexpr std::size_t kStoragePage = 4096;
constexpr std::size_t kMostStoragePages = 64;  // before the thread pointer: programs' own storage
constexpr std::uint64_t kMostLooks = 1 << 20;  // at pages and what may be caches, of all threads
constexpr std::size_t kSmallBins = 64;
constexpr std::uint32_t kMainArena = 0;

#if defined(__aarch64__)
constexpr bool kStorageIsBelow = false;  // the thread pointer is before the storage
#else
constexpr bool kStorageIsBelow = true;
#endif

/// A cache as it lies in memory.
struct CacheImage {
  std::vector<std::uint64_t> counts;
  std::vector<std::uint64_t> heads;
};

class CacheFinder {
 public:
  explicit CacheFinder(const GlibcDecoder& decoder) : decoder_(decoder) {}

  /// Page by page away from the thread pointer: behind the storage comes the stack, where old
  /// copies of the pointer may lie.
  std::optional<Address> find(Address thread_pointer) {
    Address page{thread_pointer.value & ~(kStoragePage - 1)};
    std::array<std::uint64_t, kStoragePage / 8> words{};
    for (std::size_t i = 0; i < kMostStoragePages && may_look(); ++i) {
      const auto bytes = std::as_writable_bytes(std::span(words));
      if (decoder_.memory.read(page, bytes) != bytes.size()) break;
      if (const auto cache = find_among(words)) return cache;
      page = kStorageIsBelow ? page - Bytes{kStoragePage} : page + Bytes{kStoragePage};
    }
    return std::nullopt;
  }

  /// What was not found may be there all the same.
  bool is_exhausted() const { return looks_ >= kMostLooks; }

  std::optional<CacheImage> read_image(Address cache) const {
    const GlibcCacheLayout& layout = decoder_.caches;
    std::vector<std::byte> bytes(layout.bins * (layout.count_bytes + 8));
    if (decoder_.memory.read(cache, bytes) != bytes.size()) return std::nullopt;
    CacheImage image;
    image.counts.resize(layout.bins);
    image.heads.resize(layout.bins);
    const std::uint64_t room = decoder_.heap.parameters.cache_count;
    for (std::size_t i = 0; i < layout.bins; ++i) {
      std::uint64_t count = 0;  // little-endian, as the target
      std::memcpy(&count, bytes.data() + i * layout.count_bytes, layout.count_bytes);
      image.counts[i] = layout.counts_down ? (count <= room ? room - count : UINT64_MAX) : count;
      std::memcpy(&image.heads[i], bytes.data() + layout.bins * layout.count_bytes + i * 8, 8);
    }
    return image;
  }

 private:
  bool may_look() { return ++looks_ < kMostLooks; }

  /// Of several that may be one, the fullest: an empty one looks like any block of zeros.
  std::optional<Address> find_among(std::span<const std::uint64_t> words) {
    std::optional<Address> best;
    std::uint64_t best_pieces = 0;
    for (const std::uint64_t word : words) {
      const bool is_worth_it = may_be_cache(Address{word}) && may_look();
      const auto image = is_worth_it ? read_image(Address{word}) : std::nullopt;
      if (!image || !is_consistent(*image)) continue;
      std::uint64_t pieces = 0;
      for (const std::uint64_t n : image->counts) pieces += n;
      if (best && pieces <= best_pieces) continue;
      best = Address{word};
      best_pieces = pieces;
    }
    return best;
  }

  bool may_be_cache(Address user) const {
    if (!is_chunk_aligned(user) || !decoder_.arena_of(user)) {
      return false;
    }
    const auto header = decoder_.header_at(user - kChunkToUser);
    if (!header || header->is_mmapped()) return false;
    // Larger by what was too little to be a chunk of its own.
    const Bytes least{decoder_.caches.chunk_size};
    return header->size() == least || header->size() == least + model::kChunkAlignment;
  }

  bool is_consistent(const CacheImage& image) const {
    const std::uint64_t room = decoder_.heap.parameters.cache_count;
    for (std::size_t i = 0; i < image.counts.size(); ++i) {
      if (image.counts[i] > room) return false;
      if ((image.counts[i] == 0) != (image.heads[i] == 0)) return false;
      if (image.heads[i] % model::kChunkAlignment.count != 0) return false;
    }
    return true;
  }

  const GlibcDecoder& decoder_;
  std::uint64_t looks_ = 0;
};

class CacheReader {
 public:
  explicit CacheReader(GlibcDecoder& decoder) : decoder_(decoder), finder_(decoder) {}

  CacheFinder& finder() { return finder_; }

  void read(Address cache, const HeapThread& thread) {
    const auto image = finder_.read_image(cache);
    const auto arena = decoder_.arena_of(cache);
    if (!image || !arena) return;
    const auto number = static_cast<std::uint32_t>(decoder_.heap.caches.size());
    HeapCache result{.address = cache, .thread_id = thread.id};
    for (std::size_t i = 0; i < image->counts.size(); ++i) {
      HeapBin bin{.use = PieceUse::kCached,
                  .arena = *arena,
                  .cache = number,
                  .index = static_cast<std::uint32_t>(i)};
      read_list(cache, i, image->heads[i], image->counts[i], bin);
      if (bin.pieces == 0) continue;
      result.pieces += bin.pieces;
      result.size += bin.size;
      decoder_.heap.bins.push_back(bin);
    }
    decoder_.heap.caches.push_back(result);
    decoder_.listed.set(cache - kChunkToUser, PieceUse::kAllocator);
  }

 private:
  /// Bin i holds chunks of 32 + 16 i bytes; from 2.42 on those from 64 on hold ranges of sizes.
  static bool belongs(Bytes size, std::size_t bin) {
    if (bin >= kSmallBins)
      return size > model::kSmallestChunk + model::kChunkAlignment * kSmallBins;
    return size == model::kSmallestChunk + model::kChunkAlignment * bin;
  }

  /// `pieces` is bounded by is_consistent: the list ends whatever its links say.
  void read_list(Address cache, std::size_t index, std::uint64_t head, std::uint64_t pieces,
                 HeapBin& bin) {
    Address from = cache + Bytes{decoder_.caches.bins * decoder_.caches.count_bytes + index * 8};
    std::optional<Address> at = Address{head};
    for (std::uint64_t i = 0; i < pieces; ++i) {
      if (at && decoder_.may_be_elsewhere(kMainArena, *at)) return;
      const bool is_ours = at && is_chunk_aligned(*at) && decoder_.arena_of(*at);
      const auto header = is_ours ? decoder_.header_at(*at - kChunkToUser) : std::nullopt;
      if (!header || !belongs(header->size(), index)) {
        decoder_.damages.add(
            from, fmt::format("link of a thread cache, bin {}", index),
            at ? format_address(*at) : "unreadable",
            fmt::format("a block of that bin: the counter says {} more", pieces - i));
        return;
      }
      const Bytes size = header->size();
      bin.least_size = bin.pieces == 0 ? size : std::min(bin.least_size, size);
      bin.most_size = std::max(bin.most_size, size);
      ++bin.pieces;
      bin.size += size;
      decoder_.list(*at - kChunkToUser, PieceUse::kCached);
      from = *at;
      at = decoder_.link_at(from);
    }
    if (pieces != 0 && at != Address{}) {
      decoder_.damages.add(from, fmt::format("end of a thread cache's bin {}", index),
                           at ? format_address(*at) : "unreadable",
                           fmt::format("0: the counter says {}", pieces));
    }
  }

  GlibcDecoder& decoder_;
  CacheFinder finder_;
};

}  // namespace

void find_caches(const GlibcDecoder& decoder, std::span<const HeapThread> threads) {
  CacheFinder finder(decoder);
  std::set<Address> pointers;
  for (const HeapThread& thread : threads) {
    if (thread.thread_pointer && pointers.insert(*thread.thread_pointer).second) {
      finder.find(*thread.thread_pointer);
    }
  }
}

void read_caches(GlibcDecoder& decoder, std::span<const HeapThread> threads) {
  CacheReader reader(decoder);
  std::set<Address> pointers;
  std::set<Address> seen;
  for (const HeapThread& thread : threads) {
    if (!thread.thread_pointer) {
      ++decoder.heap.caches_not_found;
      continue;
    }
    if (!pointers.insert(*thread.thread_pointer).second) continue;
    // A thread that has not allocated yet has none.
    const auto cache = reader.finder().find(*thread.thread_pointer);
    if (!cache && reader.finder().is_exhausted()) ++decoder.heap.caches_not_found;
    if (cache && seen.insert(*cache).second) reader.read(*cache, thread);
  }
}

}  // namespace mini::heaps
