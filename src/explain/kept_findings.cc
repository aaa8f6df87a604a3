// Memory that the allocator keeps, and why it has to: arenas of threads, and pages in which little
// is live.
#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "explain/finding_places.h"
#include "explain/finding_words.h"

namespace mini::explain {
namespace {

using model::HeapProfile;

constexpr std::uint64_t kWorthBytes = 16U << 20U;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kLeastChunkBytes = 32;  // of a block of a byte
constexpr std::uint64_t kHeaderBytes = 16;      // of a block, at the most
constexpr double kFullShare = 0.25;             // pages with less are sparse
constexpr double kBorneOut = 0.9;               // by the kernel's figure

/// What all blocks ever had at once, with what the allocator adds to each.
std::uint64_t needed_bytes(const HeapProfile& profile) {
  const model::Amount peak = profile.totals.peak;
  return std::max(peak.bytes, profile.usable.totals.peak_usable_bytes) + kHeaderBytes * peak.blocks;
}

/// What threads can have in their caches, which is not their arenas' fault: up to seven blocks of
/// each of 64 sizes, of what they freed.
std::uint64_t most_cached_bytes(const HeapProfile& profile) {
  constexpr std::uint64_t kMostOfThread = std::uint64_t{7} * 64 * 528;
  std::uint64_t sum = 0;
  for (const model::ThreadProfile& thread : profile.threads) {
    const model::Amount freed = thread.totals.freed;
    sum += std::min(freed.bytes + freed.blocks * kHeaderBytes, kMostOfThread);
  }
  return sum;
}

/// Whether little was live for a while, and not only when the program cleaned up to end.
bool is_lasting(const HeapProfile& profile) {
  if (profile.span_ends_early()) return true;
  const auto& buckets = profile.timeline.buckets;
  const std::size_t count = std::max<std::size_t>(buckets.size() / kShortPart, 1);
  if (buckets.size() < 2 * count) return false;
  return std::all_of(buckets.end() - static_cast<std::ptrdiff_t>(count), buckets.end(),
                     [&](const model::TimelineBucket& bucket) {
                       return bucket.most_live_bytes < profile.totals.peak.bytes / 2;
                     });
}

std::string_view advice_on_arenas(bool may_be_cached) {
  if (may_be_cached) {
    return "Threads' caches of freed blocks, up to 231 KiB each, may be most of it: have fewer "
           "threads, or smaller caches (GLIBC_TUNABLES=glibc.malloc.tcache_count=1). heapspy "
           "inspect says what is in them, while it runs.";
  }
  return "Fewer arenas share their free memory: MALLOC_ARENA_MAX=2. heapspy inspect says what is "
         "free in each, while it runs.";
}

}  // namespace

void find_thread_arenas(const HeapProfile& profile, Findings& out) {
  const std::uint64_t needed = needed_bytes(profile);
  const std::uint64_t held = profile.thread_arenas.extent.count;
  const std::uint64_t resident = profile.kernel.peak_resident.count;
  if (profile.kernel.samples == 0 || profile.is_estimate || profile.thread_arenas.count < 2 ||
      std::min(held, resident) < needed + std::max(kWorthBytes, needed / 2)) {
    return;
  }
  out.push_back(
      {"arenas",
       fmt::format("{} of malloc for threads grew to {} together, for blocks that never had more "
                   "than {} at once.",
                   counted(profile.thread_arenas.count, "arena"), bytes(held),
                   bytes(profile.totals.peak.bytes)),
       fmt::format("glibc gives threads arenas of their own, as the addresses of the blocks tell; "
                   "what is free in one, no other can use. RSS was {} at its peak.",
                   bytes(resident)),
       std::string(advice_on_arenas(std::min(held, resident) <
                                    needed + kWorthBytes + most_cached_bytes(profile))),
       0.3 + 0.5 * share(std::min(held, resident) - needed, resident)});
}

void find_sparse_pages(const HeapProfile& profile, const std::vector<Place>& places,
                       Findings& out) {
  const std::uint64_t pages_bytes = profile.live_pages * kPageBytes;
  const model::Amount live = profile.totals.live;
  const std::uint64_t occupied = live.bytes + kLeastChunkBytes * live.blocks;
  if (pages_bytes < kWorthBytes || share(occupied, pages_bytes) > kFullShare ||
      share(profile.kernel.last_resident.count, pages_bytes) < kBorneOut || !is_lasting(profile)) {
    return;
  }
  const Place most = top(places, [](const Place& p) { return p.live_pages; }).front();
  out.push_back(
      {"pinned",
       fmt::format("{} keep {} of pages, of which they are {}.", blocks(live.blocks),
                   bytes(pages_bytes), percent(share(live.bytes, pages_bytes))),
       fmt::format("So much was live {}: {} in {}. Most pages have blocks from {}: {} of {}.",
                   profile.ends_early() ? "then" : "at the end", bytes(live.bytes),
                   counted(profile.live_pages, "page"), most.name, format_count(most.live_pages),
                   format_count(profile.live_pages)),
       "A page goes back only when nothing in it is live: allocate what lives long before what "
       "lives short, or apart from it.",
       0.4 + 0.5 * share(pages_bytes, profile.kernel.last_resident.count)});
}

}  // namespace mini::explain
