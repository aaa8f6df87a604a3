// Thread caches. A thread's pointer to its cache is somewhere in its thread-local storage, which
// the thread pointer leads to; where, only symbols would tell. So every word there that leads to a
// chunk of the right size is looked at, and the cache is the one whose counters and lists agree.
// One that is damaged has some that do not; by other signs it is still known.
#include <array>
#include <fmt/format.h>
#include <set>

#include "base/text.h"
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
  std::vector<std::uint64_t> counts;  // of pieces; more than there is room for where damaged
  std::vector<std::uint64_t> heads;
};

/// Bin i holds chunks of 32 + 16 i bytes; from 2.42 on those from 64 on hold ranges of sizes.
bool belongs(Bytes size, std::size_t bin) {
  if (bin >= kSmallBins) return size >= model::kSmallestChunk + model::kChunkAlignment * kSmallBins;
  return size == model::kSmallestChunk + model::kChunkAlignment * bin;
}

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
      if (const auto found = find_among(words)) {
        if (!place_ && is_first_chunk(found->cache)) {
          place_ = page + Bytes{found->word * 8} - thread_pointer;
        }
        return found->cache;
      }
      page = kStorageIsBelow ? page - Bytes{kStoragePage} : page + Bytes{kStoragePage};
    }
    return std::nullopt;
  }

  /// The cache of a thread of which nothing consistent was found, where the main thread's was: all
  /// have their pointer at the same place of their storage.
  std::optional<Address> find_by_others(Address thread_pointer) {
    if (!place_ || !may_look()) return std::nullopt;
    const auto cache = decoder_.pointer_at(thread_pointer + *place_);
    return cache && may_be_cache(*cache) && read_image(*cache) ? cache : std::nullopt;
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
      image.counts[i] = layout.counts_down ? room - count : count;
      std::memcpy(&image.heads[i], bytes.data() + layout.bins * layout.count_bytes + i * 8, 8);
    }
    return image;
  }

 private:
  bool may_look() { return ++looks_ < kMostLooks; }

  struct Found {
    Address cache;
    std::size_t word = 0;  // of the page, that leads to it
  };

  /// Of several that may be one, the fullest: an empty one looks like any block of zeros.
  std::optional<Found> find_among(std::span<const std::uint64_t> words) {
    std::optional<Found> best;
    std::uint64_t best_weight = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const Address cache{words[i]};
      const bool is_worth_it = may_be_cache(cache) && may_look();
      const auto image = is_worth_it ? read_image(cache) : std::nullopt;
      if (!image) continue;
      const std::size_t misfits = count_misfits(*image);
      if (misfits != 0 && !is_first_chunk(cache) && !is_mostly_cache(*image, misfits)) continue;
      const std::uint64_t weight = weigh(*image);
      if (best && weight <= best_weight) continue;
      best = Found{.cache = cache, .word = i};
      best_weight = weight;
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

  bool fits(const CacheImage& image, std::size_t bin) const {
    return image.counts[bin] <= decoder_.heap.parameters.cache_count &&
           (image.counts[bin] == 0) == (image.heads[bin] == 0) &&
           image.heads[bin] % model::kChunkAlignment.count == 0;
  }
  std::size_t count_misfits(const CacheImage& image) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < image.counts.size(); ++i) {
      if (!fits(image, i)) ++count;
    }
    return count;
  }
  std::uint64_t weigh(const CacheImage& image) const {
    std::uint64_t pieces = 0;
    for (std::size_t i = 0; i < image.counts.size(); ++i) {
      if (fits(image, i)) pieces += image.counts[i];
    }
    return pieces;
  }

  /// Until 2.41 the main arena begins with the main thread's cache, whatever became of it.
  bool is_first_chunk(Address cache) const {
    if (decoder_.caches.counts_down || decoder_.heap.arenas.empty()) return false;
    const auto& regions = decoder_.heap.arenas.front().regions;
    return !regions.empty() && cache == regions.front().begin + kChunkToUser;
  }

  /// No program's block has lists of chunks of just the sizes that their places ask for. A thread
  /// that ends empties its lists, but not their counters ("tcache_thread_shutdown").
  bool is_mostly_cache(const CacheImage& image, std::size_t misfits) const {
    constexpr std::size_t kMostMisfits = 2;
    constexpr std::size_t kProof = 2;
    if (misfits > kMostMisfits) return false;
    std::size_t lists = 0;
    for (std::size_t i = 0; i < image.counts.size(); ++i) {
      if (image.counts[i] != 0 && image.heads[i] == 0) return false;
      if (image.counts[i] == 0 || !fits(image, i)) continue;
      const Address block{image.heads[i]};
      const auto header =
          decoder_.arena_of(block) ? decoder_.header_at(block - kChunkToUser) : std::nullopt;
      if (header && belongs(header->size(), i)) ++lists;
    }
    return lists >= kProof;
  }

  const GlibcDecoder& decoder_;
  std::uint64_t looks_ = 0;
  std::optional<Bytes> place_;  // of the pointer, from a thread pointer on; below it: wraps
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
      read_list(cache, *image, i, bin);
      if (bin.pieces == 0) continue;
      result.pieces += bin.pieces;
      result.size += bin.size;
      decoder_.heap.bins.push_back(bin);
    }
    decoder_.heap.caches.push_back(result);
    decoder_.listed.set(cache - kChunkToUser, PieceUse::kAllocator);
  }

 private:
  /// Bounded by the room of a bin: the list ends whatever its links say.
  void read_list(Address cache, const CacheImage& image, std::size_t index, HeapBin& bin) {
    const std::uint64_t room = decoder_.heap.parameters.cache_count;
    const bool is_counted = image.counts[index] <= room;
    if (!is_counted) report_counter(cache, image, index);
    const std::uint64_t pieces = is_counted ? image.counts[index] : room;
    Address from = cache + Bytes{decoder_.caches.bins * decoder_.caches.count_bytes + index * 8};
    std::optional<Address> at = Address{image.heads[index]};
    for (std::uint64_t i = 0; i < pieces && (is_counted || at != Address{}); ++i) {
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
    if (is_counted && at != Address{}) {
      decoder_.damages.add(from, fmt::format("end of a thread cache's bin {}", index),
                           at ? format_address(*at) : "unreadable",
                           fmt::format("0: the counter says {}", pieces));
    }
  }

  void report_counter(Address cache, const CacheImage& image, std::size_t index) {
    const GlibcCacheLayout& layout = decoder_.caches;
    const std::uint64_t room = decoder_.heap.parameters.cache_count;
    const std::uint64_t count = image.counts[index];
    decoder_.damages.add(cache + Bytes{index * layout.count_bytes},
                         fmt::format("counter of a thread cache, bin {}", index),
                         fmt::format("{}", layout.counts_down ? room - count : count),
                         fmt::format("at most {}", room));
  }

  GlibcDecoder& decoder_;
  CacheFinder finder_;
};

struct ThreadCache {
  const HeapThread* thread;
  std::optional<Address> cache;
  bool may_be_there = false;  // though it was not found
};

/// Once for each thread pointer.
std::vector<ThreadCache> find_each(CacheFinder& finder, std::span<const HeapThread> threads) {
  std::vector<ThreadCache> found;
  std::set<Address> pointers;
  for (const HeapThread& thread : threads) {
    if (!thread.thread_pointer || !pointers.insert(*thread.thread_pointer).second) continue;
    const auto cache = finder.find(*thread.thread_pointer);
    found.push_back({&thread, cache, !cache && finder.is_exhausted()});
  }
  for (ThreadCache& one : found) {
    const auto pointer = one.thread->thread_pointer;
    if (!one.cache && pointer) one.cache = finder.find_by_others(*pointer);
  }
  return found;
}

}  // namespace

void find_caches(const GlibcDecoder& decoder, std::span<const HeapThread> threads) {
  CacheFinder finder(decoder);
  find_each(finder, threads);
}

void read_caches(GlibcDecoder& decoder, std::span<const HeapThread> threads) {
  for (const HeapThread& thread : threads) {
    if (!thread.thread_pointer) ++decoder.heap.caches_not_found;
  }
  CacheReader reader(decoder);
  std::set<Address> seen;
  for (const auto& [thread, cache, may_be_there] : find_each(reader.finder(), threads)) {
    // A thread that has not allocated yet has none.
    if (!cache && may_be_there) ++decoder.heap.caches_not_found;
    if (cache && seen.insert(*cache).second) reader.read(*cache, *thread);
  }
}

}  // namespace mini::heaps
