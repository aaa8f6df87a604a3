#include "explain/heap_findings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <optional>

#include "base/text.h"
#include "explain/finding_places.h"
#include "explain/finding_words.h"

namespace mini::explain {
namespace {

using model::Amount;
using model::HeapProfile;

// A place is named where it has at least this share, and at least this many blocks.
constexpr double kTemporaryShare = 0.10;
constexpr double kResizedShare = 0.10;
constexpr std::uint64_t kFewBlocks = 100;
constexpr double kPeakShare = 0.25;
constexpr double kOnlyGrownShare = 0.9;  // of what a place ever allocated
constexpr double kChurnShare = 0.25;
constexpr std::uint64_t kChurnTimesPeak = 50;
// A gap between RSS and the heap that is worth a word.
constexpr std::uint64_t kGapBytes = 16U << 20U;
constexpr double kMappedShare = 0.5;  // of that gap
constexpr std::uint64_t kSmallBlockBytes = 32;
constexpr std::uint64_t kManyBlocks = 10'000;
constexpr double kRemoteShare = 0.25;
constexpr std::uint64_t kFewCalls = 1000;  // take less time than a program does to start

void find_losses(const HeapProfile& profile, Findings& out) {
  const model::ProfileLosses& losses = profile.losses;
  if (losses.dropped_events != 0) {
    out.push_back(
        {"dropped-events",
         fmt::format("{} dropped while recording: the figures are too low, and blocks "
                     "that were freed may seem never freed.",
                     counted_were(losses.dropped_events, "event")),
         fmt::format("{} recorded.",
                     counted_were(profile.allocation_events + profile.free_events, "event")),
         "Record again without --on-overflow drop, or with --sample 512K.", 3});
  }
  if (losses.is_damaged()) {
    out.push_back({"damaged-file", "The file is damaged: what could not be read is in no figure.",
                   fmt::format("That is {}.", damage_text(losses)),
                   "Blocks whose frees were in the damaged part may seem never freed.", 2.5});
  }
}

void find_temporary(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  const std::uint64_t all = profile.totals.allocated.blocks;
  for (const Place& place : top(places, [](const Place& p) { return p.temporary.blocks; })) {
    const double part = share(place.temporary.blocks, all);
    // What realloc frees as it moves a block is find_resized()'s.
    const bool is_resized = place.resized >= place.temporary.blocks / 2;
    if (part < kTemporaryShare || place.temporary.blocks < kFewBlocks || is_resized) continue;
    out.push_back({"temporary",
                   fmt::format("{} of all allocations are freed at once in {}.",
                               percent_first(part), place.name),
                   fmt::format("{} of {} allocations were freed by their thread before it "
                               "allocated again; {} each on average.",
                               format_count(place.temporary.blocks), format_count(all),
                               mean_bytes(place.temporary)),
                   "Reuse one buffer for all of them, or keep it on the stack.",
                   weight_of(part, place.temporary.blocks < kFewCalls)});
  }
}

/// Whether a place has nearly all that it ever allocated at the peak, and allocated all along.
bool only_grows(const HeapProfile& profile, const Place& place) {
  const std::uint64_t all_ns = profile.duration_ns - profile.span.from_ns;
  return place.peak.blocks >= kFewBlocks &&
         share(place.peak.blocks, place.allocated.blocks) >= kOnlyGrownShare &&
         place.last_ns - place.first_ns > all_ns / 2;
}

void find_peak(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  for (const Place& place : top(places, [](const Place& p) { return p.peak.bytes; })) {
    const double part = share(place.peak.bytes, profile.totals.peak.bytes);
    if (part < kPeakShare) continue;
    const bool grows = only_grows(profile, place);
    out.push_back(
        {"peak", fmt::format("{} of the peak is from {}.", percent_first(part), place.name),
         fmt::format("{} of {} that were live at {}, in {}{}.", bytes(place.peak.bytes),
                     bytes(profile.totals.peak.bytes), seconds(profile.peak_time_ns),
                     blocks(place.peak.blocks),
                     grows ? fmt::format(", {} of all that it ever allocated",
                                         percent(share(place.peak.blocks, place.allocated.blocks)))
                           : ""),
         grows ? "It allocates all along the run, and had freed next to nothing by then: "
                 "where this is a cache, a queue or a list, give it a bound."
               : "To lower the peak, begin here: fewer or smaller blocks, or free them "
                 "earlier.",
         weight_of(part / 2, profile.totals.peak.bytes < kLittleBytes)});
  }
}

void find_churn(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  const model::BlockTotals& totals = profile.totals;
  if (totals.allocated.bytes / std::max<std::uint64_t>(totals.peak.bytes, 1) < kChurnTimesPeak) {
    return;
  }
  const std::vector<Place> most = top(places, [](const Place& p) { return p.allocated.bytes; });
  if (most.empty()) return;
  const double part = share(most.front().allocated.bytes, totals.allocated.bytes);
  if (part < kChurnShare) return;
  out.push_back(
      {"churn",
       fmt::format("{} of all bytes that were allocated are from {}.", percent_first(part),
                   most.front().name),
       fmt::format(
           "{} in all, {} times what was ever live at once; here {} in {}.",
           bytes(totals.allocated.bytes),
           format_count(totals.allocated.bytes / std::max<std::uint64_t>(totals.peak.bytes, 1)),
           bytes(most.front().allocated.bytes), blocks(most.front().allocated.blocks)),
       "Blocks come and go here: keep them for the next round.",
       weight_of(part / 3, most.front().allocated.blocks < kFewCalls)});
}

void find_resized(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  const std::uint64_t all = profile.totals.allocated.blocks;
  for (const Place& place : top(places, [](const Place& p) { return p.resized; })) {
    const double part = share(place.resized, all);
    if (part < kResizedShare || place.resized < kFewBlocks) continue;
    out.push_back(
        {"resized",
         fmt::format("{} of all allocations resize a block in {}.", percent_first(part),
                     place.name),
         fmt::format("{} of {} were made by realloc of another block; the place asks for {} on "
                     "average.",
                     format_count(place.resized), format_count(all), mean_bytes(place.allocated)),
         "Ask for the final size at once, or grow by a factor.",
         weight_of(part / 2, place.resized < kFewCalls)});
  }
}

/// Whether there are blocks that the recording does not know of.
bool has_malloc_of_its_own(const HeapProfile& profile) {
  return std::ranges::any_of(profile.unrecorded_programs,
                             [&](const model::UnrecordedProgram& program) {
                               return program.obstacle == PreloadObstacle::kOwnMalloc &&
                                      program.path == profile.process.executable;
                             });
}

/// Whether the program may have had blocks before what was recorded of it: it may have been joined
/// as it ran, is a copy of another process, or only a part of the time is asked for.
bool may_miss_early_blocks(const HeapProfile& profile) {
  using Kind = model::ProfileEnding::Kind;
  return profile.ending.kind == Kind::kDetached || profile.ending.kind == Kind::kUnknown ||
         profile.inheritance.state != model::Inheritance::State::kNone || profile.span.from_ns != 0;
}

/// By how much RSS was above what was ever live; 0 where that is not worth a word.
std::uint64_t gap_of(const HeapProfile& profile) {
  const model::KernelFigures& kernel = profile.kernel;
  const std::uint64_t live = profile.totals.peak.bytes;
  if (kernel.samples == 0 || kernel.peak_resident.count < live + kGapBytes ||
      kernel.peak_resident.count < live + live / 2) {
    return 0;
  }
  return kernel.peak_resident.count - live;
}

/// Who had most of the gap mapped without malloc. How much of that was in RAM is known of page
/// faults only: no more than the gap, else.
void find_mapped(const HeapProfile& profile, PlaceNames& names, Findings& out) {
  struct Mapped {
    std::uint64_t stacks = 0;
    std::uint64_t bytes = 0;  // each stack's most
    std::uint64_t calls = 0;
    std::uint64_t touched_bytes = 0;
  };
  const std::uint64_t gap = gap_of(profile);
  if (gap == 0) return;
  std::map<std::string, Mapped> places;
  for (const model::MappingProfile& mapping : profile.mappings) {
    Mapped& place = places[names.of(mapping.node)];
    ++place.stacks;
    place.bytes += mapping.most_live_bytes;
    place.calls += mapping.calls;
  }
  const bool is_touch_known = profile.first_touch.state == model::FirstTouch::State::kRecorded;
  for (const model::TouchProfile& owner : profile.first_touch.owners) {
    const auto place = places.find(names.of(owner.node));
    if (place != places.end()) place->second.touched_bytes += owner.touched.bytes;
  }
  const auto in_ram = [&](const Mapped& place) {
    return std::min({place.bytes, gap, is_touch_known ? place.touched_bytes : gap});
  };
  const auto most =
      std::ranges::max_element(places, {}, [&](const auto& place) { return in_ram(place.second); });
  if (most == places.end() || share(in_ram(most->second), gap) < kMappedShare) return;
  const auto& [name, mapped] = *most;
  out.push_back(
      {"mapped",
       fmt::format("{} were asked of the kernel itself, not of malloc, by {}.", bytes(mapped.bytes),
                   name),
       fmt::format("{}, in {}; RSS was {} at its peak, {} more than the blocks that heapspy saw.",
                   mapped.stacks == 1 ? "So much at once"
                                      : fmt::format("That is the most of each of {} call stacks, "
                                                    "perhaps by turns",
                                                    format_count(mapped.stacks)),
                   counted(mapped.calls, "call"), format_bytes(profile.kernel.peak_resident),
                   bytes(gap)),
       "It takes memory as far as it is touched, until munmap or madvise(MADV_DONTNEED).",
       // Other findings' shares are of the blocks, which are the lesser part here.
       0.25 + share(in_ram(mapped), profile.kernel.peak_resident.count)});
}

/// What may be in RSS beside all blocks that heapspy saw, and code, stacks and other mappings.
std::string_view rest_of_gap(const HeapProfile& profile) {
  if (has_malloc_of_its_own(profile)) {
    return "The program has a malloc of its own: its blocks are in the rest, beside code, "
           "heapspy's too, stacks and memory mapped otherwise.";
  }
  if (may_miss_early_blocks(profile)) {
    return "Blocks that the program had before are in the rest, beside code, stacks, memory mapped "
           "otherwise, and what the allocator adds and keeps: heapspy inspect says how much of "
           "each, while it runs.";
  }
  return "The rest is code, heapspy's among it, stacks, memory mapped otherwise, and what the "
         "allocator adds and keeps: heapspy inspect says how much of each, while it runs.";
}

void find_gap(const HeapProfile& profile, Findings& out) {
  const model::KernelFigures& kernel = profile.kernel;
  const std::uint64_t live = profile.totals.peak.bytes;
  const std::uint64_t gap = gap_of(profile);
  if (gap == 0) return;
  const bool sees_all = !has_malloc_of_its_own(profile) && !may_miss_early_blocks(profile);
  out.push_back(
      {"rss-gap",
       fmt::format("RSS was {} at its peak, {} more than {}.", format_bytes(kernel.peak_resident),
                   bytes(gap),
                   sees_all ? "the program ever had in blocks" : "the blocks that heapspy saw"),
       fmt::format("Peak of live blocks {}, as requested; of RSS some {} are "
                   "heapspy's records.",
                   bytes(live), format_bytes(kernel.agent_resident)),
       std::string(rest_of_gap(profile)), 0.3 * share(gap, kernel.peak_resident.count)});
}

/// The fall of live bytes after the peak to about the least, and what RSS did.
struct Fall {
  std::size_t from = 0;  // buckets
  std::size_t to = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_after = 0;
  std::uint64_t resident_before = 0;  // the most until then: blocks are touched after they are live
  std::uint64_t resident_after = 0;   // the least from then on

  std::uint64_t given_back() const {
    return resident_before - std::min(resident_before, resident_after);
  }
  /// Whether what is resident afterwards may have been the blocks that are gone.
  bool is_kept() const {
    return given_back() <= live_bytes / 4 && resident_after >= live_after + live_bytes / 2;
  }
};

std::optional<Fall> find_fall(const model::Timeline& timeline) {
  const auto& buckets = timeline.buckets;
  if (buckets.empty()) return std::nullopt;
  Fall fall;
  const auto highest =
      std::ranges::max_element(buckets, {}, &model::TimelineBucket::most_live_bytes);
  fall.from = static_cast<std::size_t>(highest - buckets.begin());
  const auto lowest =
      std::ranges::min_element(highest, buckets.end(), {}, &model::TimelineBucket::last_live_bytes);
  // What little is freed when the program ends may be the rest of it.
  const std::uint64_t rest = (highest->most_live_bytes - lowest->last_live_bytes) / 10;
  const auto fallen = std::find_if(highest, lowest, [&](const model::TimelineBucket& bucket) {
    return bucket.last_live_bytes <= lowest->last_live_bytes + rest;
  });
  fall.to = static_cast<std::size_t>(fallen - buckets.begin());
  fall.live_after = fallen->last_live_bytes;
  fall.live_bytes = highest->most_live_bytes - fall.live_after;
  // A program that frees all before it ends keeps nothing.
  if (buckets.size() - fall.to <= buckets.size() / kShortPart) return std::nullopt;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const std::uint64_t resident = buckets[i].resident_bytes;
    if (resident == 0) continue;
    if (i <= fall.to) fall.resident_before = std::max(fall.resident_before, resident);
    if (i > fall.to && (fall.resident_after == 0 || resident < fall.resident_after)) {
      fall.resident_after = resident;
    }
  }
  if (fall.resident_before == 0 || fall.resident_after == 0) return std::nullopt;
  return fall;
}

void find_retention(const HeapProfile& profile, Findings& out) {
  const auto fall = find_fall(profile.timeline);
  if (!fall || fall->live_bytes < kGapBytes || fall->live_bytes < profile.totals.peak.bytes / 4) {
    return;
  }
  if (!fall->is_kept()) return;
  const std::uint64_t given_back = fall->given_back();
  out.push_back(
      {"retention",
       fmt::format(
           "Live bytes fell by {} {}, but RSS {}.", bytes(fall->live_bytes),
           from_to(fall->from * profile.timeline.bucket_ns,
                   std::min((fall->to + 1) * profile.timeline.bucket_ns, profile.duration_ns)),
           given_back == 0 ? "did not" : fmt::format("by {} only", bytes(given_back))),
       fmt::format("RSS was {} before and {} at the least afterwards.",
                   bytes(fall->resident_before), bytes(fall->resident_after)),
       "The allocator keeps the memory, or blocks in between pin it; another allocator, or "
       "malloc_trim, may give it back.",
       0.4 + 0.5 * share(fall->live_bytes, profile.totals.peak.bytes)});
}

void find_small_blocks(const HeapProfile& profile, Findings& out) {
  const Amount peak = profile.totals.peak;
  if (peak.blocks < kManyBlocks || peak.bytes / peak.blocks >= kSmallBlockBytes) return;
  // What glibc's malloc adds on average: 8 bytes, and rounding to 16 with 32 at least.
  const std::uint64_t overhead = peak.blocks * 16;
  out.push_back({"small-blocks",
                 fmt::format("At the peak there were {}, of {} on average.", blocks(peak.blocks),
                             mean_bytes(peak)),
                 fmt::format("An allocator adds about 16 bytes to each: some {} (estimated).",
                             bytes(overhead)),
                 "Keep small things in arrays, or several of them in one block.",
                 0.5 * share(overhead, overhead + peak.bytes)});
}

void find_remote_frees(const HeapProfile& profile, Findings& out) {
  std::uint64_t remote = 0;
  for (const model::ThreadProfile& thread : profile.threads) remote += thread.frees_by_others;
  const double part = share(remote, profile.totals.freed.blocks);
  if (part < kRemoteShare || remote < kFewBlocks) return;
  out.push_back(
      {"remote-frees",
       fmt::format("{} of all frees are by another thread than the allocation.",
                   percent_first(part)),
       fmt::format("{} of {}.", format_count(remote), format_count(profile.totals.freed.blocks)),
       "Allocators pay more for those: give blocks back to the thread that they are "
       "from, or use an allocator that is made for it.",
       part / 4});
}

}  // namespace

std::string format_duration(double ns) {
  if (ns < 999.5) return fmt::format("{:.0f} ns", ns);
  const auto scaled = [](double value, const char* unit) {
    const int decimals = value < 9.95 ? 1 : 0;
    std::string text = fmt::format("{:.{}f}", value, decimals);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return fmt::format("{} {}", text, unit);
  };
  if (ns < 999.5e3) return scaled(ns / 1e3, "us");
  if (ns < 999.5e6) return scaled(ns / 1e6, "ms");
  if (ns < 60e9) return fmt::format("{:.1f} s", std::floor(std::max(ns, 1e9) / 1e8) / 10);
  const double all_seconds = std::floor(ns / 1e9);
  const double minutes = std::floor(all_seconds / 60);
  if (minutes < 60) return fmt::format("{:.0f} min {:.0f} s", minutes, all_seconds - 60 * minutes);
  return fmt::format("{:.0f} h {:.0f} min", std::floor(minutes / 60),
                     minutes - 60 * std::floor(minutes / 60));
}

std::vector<Finding> find_in_heap(const HeapProfile& profile) {
  Findings findings;
  PlaceNames names(profile);
  const std::vector<Place> places = places_of(profile, names);
  find_losses(profile, findings);
  find_leaks(profile, places, findings);
  find_temporary(profile, places, findings);
  find_retention(profile, findings);
  find_sparse_pages(profile, places, findings);
  find_thread_arenas(profile, findings);
  find_peak(profile, places, findings);
  find_churn(profile, places, findings);
  find_resized(profile, places, findings);
  find_growth(profile, names, places, findings);
  find_small_blocks(profile, findings);
  find_rounding(profile, names, findings);
  find_mapped(profile, names, findings);
  find_gap(profile, findings);
  find_never_touched(profile, names, findings);
  find_remote_frees(profile, findings);
  std::ranges::stable_sort(findings, std::greater<>(), &Finding::weight);
  return findings;
}

std::string damage_text(const model::ProfileLosses& losses) {
  std::string parts = counted(losses.skipped_blocks, "part");
  if (losses.skipped_bytes == 0) return parts;
  std::string bytes_besides = bytes(losses.skipped_bytes);
  if (losses.skipped_blocks == 0) return bytes_besides;
  return fmt::format("{} and {} besides", parts, bytes_besides);
}

}  // namespace mini::explain
