#include "explain/heap_findings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <optional>

#include "base/text.h"
#include "explain/finding_words.h"
#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

using model::Amount;
using model::HeapProfile;

// A place is named where it has at least this share, and at least this many blocks.
constexpr double kTemporaryShare = 0.10;
constexpr double kResizedShare = 0.10;
constexpr std::uint64_t kFewBlocks = 1000;  // take less time than a program does to start
constexpr double kLeakShareOfPeak = 0.05;
constexpr double kPeakShare = 0.25;
constexpr double kChurnShare = 0.25;
constexpr std::uint64_t kChurnTimesPeak = 50;
constexpr std::size_t kMostOfAKind = 3;
// malloc takes as much from the kernel at once: to have less saves nothing.
constexpr std::uint64_t kLittleBytes = 128U << 10U;
constexpr double kLittleShareOfPeak = 0.01;
// A gap between RSS and the heap that is worth a word.
constexpr std::uint64_t kGapBytes = 16U << 20U;
constexpr std::uint64_t kSmallBlockBytes = 32;
constexpr std::uint64_t kManyBlocks = 10'000;
constexpr double kRemoteShare = 0.25;

/// All stacks with one place.
struct Place {
  std::string name;
  Amount allocated, temporary, leaked, unreachable, lost_indirectly, peak;
  std::uint64_t resized = 0;
  std::uint64_t first_ns = UINT64_MAX;
  std::uint64_t last_ns = 0;
};

std::vector<Place> places_of(const HeapProfile& profile, PlaceNames& names) {
  std::map<std::string, Place> by_name;
  for (const model::StackProfile& stack : profile.stacks) {
    const std::string& name = names.of(stack.node);
    Place& place = by_name[name];
    place.name = name;
    place.allocated += stack.totals.allocated;
    place.temporary += stack.totals.temporary;
    place.leaked += stack.totals.leaked();
    place.unreachable += stack.totals.unreachable();
    place.lost_indirectly += stack.totals.lost_indirectly;
    place.peak += stack.totals.peak;
    place.resized += stack.totals.resized;
    place.first_ns = std::min(place.first_ns, stack.first_ns);
    place.last_ns = std::max(place.last_ns, stack.last_ns);
  }
  std::vector<Place> places;
  for (auto& [name, place] : by_name) places.push_back(std::move(place));
  return places;
}

/// The places with the most of something, at most kMostOfAKind, the most first.
std::vector<Place> top(std::vector<Place> places,
                       const std::function<std::uint64_t(const Place&)>& amount) {
  std::ranges::stable_sort(places, std::greater<>(), amount);
  places.resize(std::min(places.size(), kMostOfAKind));
  return places;
}

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
    if (part < kTemporaryShare || place.temporary.blocks < kFewBlocks) continue;
    out.push_back({"temporary",
                   fmt::format("{} of all allocations are freed at once in {}.",
                               percent_first(part), place.name),
                   fmt::format("{} of {} allocations were freed by their thread before it "
                               "allocated again; {} each on average.",
                               format_count(place.temporary.blocks), format_count(all),
                               mean_bytes(place.temporary)),
                   "Reuse one buffer for all of them, or keep it on the stack.", part});
  }
}

/// What of leaks is true in a recording to its end, what where it goes on, and what where only the
/// program does.
struct LeakWords {
  std::string_view when;
  std::string_view advice_of_growth;
  std::string_view advice;
};
constexpr LeakWords kAtTheEnd = {
    .when = "at the end",
    .advice_of_growth =
        "It allocates all along the run: unless something frees these blocks, they "
        "pile up as it goes on.",
    .advice =
        "It does not allocate all along the run: if they are kept on purpose, they do no "
        "harm."};
constexpr LeakWords kEarly = {
    .when = "then",
    .advice_of_growth =
        "It allocates all along this time; the rest of the recording tells whether "
        "they are freed later.",
    .advice = "The rest of the recording tells whether they are freed later."};
constexpr LeakWords kUnfinished = {
    .when = "then",
    .advice_of_growth =
        "It allocates all along this time; what the program freed later is not in the recording.",
    .advice = "What the program freed later is not in the recording."};

const LeakWords& words_for(const HeapProfile& profile) {
  if (profile.span_ends_early()) return kEarly;
  return profile.ends_early() ? kUnfinished : kAtTheEnd;
}

/// Whether a place that still has so many blocks allocated all along the run.
bool goes_on(const HeapProfile& profile, const Place& place, std::uint64_t blocks) {
  const std::uint64_t all_ns = profile.duration_ns - profile.span.from_ns;
  return blocks >= 10 && place.last_ns - place.first_ns > all_ns / 2;
}

Finding leak_finding(const HeapProfile& profile, const Place& place) {
  const bool is_early = profile.ends_early();
  const LeakWords& words = words_for(profile);
  const std::string until = seconds(profile.duration_ns);
  Finding finding{.kind = "leak", .statement = {}, .evidence = {}, .advice = {}};
  finding.statement = fmt::format("{} in {} from {} were {}.", bytes(place.leaked.bytes),
                                  blocks(place.leaked.blocks), place.name,
                                  is_early ? "not freed by " + until : "never freed");
  const bool grows = goes_on(profile, place, place.leaked.blocks);
  finding.evidence = fmt::format("That is {} of what was live {}; the place allocated {} of {}.",
                                 percent(share(place.leaked.bytes, profile.totals.live.bytes)),
                                 words.when, from_to(place.first_ns, place.last_ns), until);
  const bool is_little = !grows && place.leaked.bytes < kLittleBytes;
  if (is_little) finding.advice = "It is little: malloc takes more from the kernel at once. ";
  finding.advice += grows ? words.advice_of_growth : words.advice;
  finding.weight = share(place.leaked.bytes, profile.totals.peak.bytes) + (grows ? 0.5 : 0);
  return finding;
}

/// Of a place whose blocks nothing leads to any more: no guess at what is kept on purpose. A little
/// that is lost once is a mistake like any other, but not what matters most.
Finding lost_finding(const HeapProfile& profile, const Place& place) {
  const bool is_indirect = place.lost_indirectly == place.unreachable;
  const double of_peak = share(place.unreachable.bytes, profile.totals.peak.bytes);
  const bool is_little =
      of_peak < kLittleShareOfPeak && !goes_on(profile, place, place.unreachable.blocks);
  const double urgency = is_indirect ? 0.5 : 1;
  return {"lost",
          fmt::format("{} in {} from {} are lost: {}.", bytes(place.unreachable.bytes),
                      blocks(place.unreachable.blocks), place.name,
                      is_indirect ? "only other lost blocks point to them"
                                  : "nothing points to them any more"),
          fmt::format("The program's memory was searched at its end; that is {} of what was live "
                      "then{}.",
                      percent(share(place.unreachable.bytes, profile.totals.live.bytes)),
                      is_little ? ", and under 1% of the peak" : ""),
          is_indirect ? "Freeing those should free these, too."
                      : "Free them before the last pointer to them goes.",
          of_peak + (is_little ? 0 : urgency)};
}

void find_leaks(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  const bool is_searched = profile.leak_scan.state == model::LeakScan::State::kDone;
  if (is_searched) {
    for (const Place& place : top(places, [](const Place& p) { return p.unreachable.bytes; })) {
      if (place.unreachable.blocks != 0) out.push_back(lost_finding(profile, place));
    }
  }
  for (const Place& place : top(places, [](const Place& p) { return p.leaked.bytes; })) {
    if (place.leaked.bytes == 0 || (is_searched && place.unreachable.blocks != 0)) continue;
    if (share(place.leaked.bytes, profile.totals.peak.bytes) < kLeakShareOfPeak) continue;
    out.push_back(leak_finding(profile, place));
  }
}

void find_peak(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  if (profile.totals.peak.bytes < kLittleBytes) return;
  for (const Place& place : top(places, [](const Place& p) { return p.peak.bytes; })) {
    const double part = share(place.peak.bytes, profile.totals.peak.bytes);
    if (part < kPeakShare) continue;
    out.push_back({"peak",
                   fmt::format("{} of the peak is from {}.", percent_first(part), place.name),
                   fmt::format("{} of {} that were live at {}, in {}.", bytes(place.peak.bytes),
                               bytes(profile.totals.peak.bytes), seconds(profile.peak_time_ns),
                               blocks(place.peak.blocks)),
                   "To lower the peak, begin here: fewer or smaller blocks, or free them earlier.",
                   part / 2});
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
  if (part < kChurnShare || most.front().allocated.blocks < kFewBlocks) return;
  out.push_back(
      {"churn",
       fmt::format("{} of all bytes that were allocated are from {}.", percent_first(part),
                   most.front().name),
       fmt::format(
           "{} in all, {} times what was ever live at once; here {} in {}.",
           bytes(totals.allocated.bytes),
           format_count(totals.allocated.bytes / std::max<std::uint64_t>(totals.peak.bytes, 1)),
           bytes(most.front().allocated.bytes), blocks(most.front().allocated.blocks)),
       "Blocks come and go here: keep them for the next round.", part / 3});
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
         fmt::format("{} of {} were made by realloc; {} each on average.",
                     format_count(place.resized), format_count(all), mean_bytes(place.allocated)),
         "Ask for the final size at once, or grow by a factor.", part / 2});
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

void find_gap(const HeapProfile& profile, Findings& out) {
  const model::KernelFigures& kernel = profile.kernel;
  const std::uint64_t live = profile.totals.peak.bytes;
  if (kernel.samples == 0 || kernel.peak_resident.count < live + kGapBytes ||
      kernel.peak_resident.count < live + live / 2) {
    return;
  }
  const std::uint64_t gap = kernel.peak_resident.count - live;
  const bool sees_all = !has_malloc_of_its_own(profile);
  out.push_back(
      {"rss-gap",
       fmt::format("RSS was {} at its peak, {} more than {}.", format_bytes(kernel.peak_resident),
                   bytes(gap),
                   sees_all ? "the program ever had in blocks" : "the blocks that heapspy saw"),
       fmt::format("Peak of live blocks {}, as requested; of RSS some {} are "
                   "heapspy's records.",
                   bytes(live), format_bytes(kernel.agent_resident)),
       sees_all ? "The rest is code, heapspy's among it, stacks, memory mapped otherwise, and "
                  "what the allocator adds and keeps."
                : "The program has a malloc of its own: its blocks are in the rest, beside "
                  "code, heapspy's too, stacks and memory mapped otherwise.",
       0.3 * share(gap, kernel.peak_resident.count)});
}

/// The deepest fall of live bytes after the peak, and what RSS did.
struct Fall {
  std::size_t from = 0;  // buckets
  std::size_t to = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t resident_before = 0;
  std::uint64_t resident_after = 0;
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
  fall.to = static_cast<std::size_t>(lowest - buckets.begin());
  fall.live_bytes = highest->most_live_bytes - lowest->last_live_bytes;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const std::uint64_t resident = buckets[i].resident_bytes;
    if (resident == 0) continue;
    if (i <= fall.from) fall.resident_before = std::max(fall.resident_before, resident);
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
  const std::uint64_t given_back = fall->resident_before > fall->resident_after
                                       ? fall->resident_before - fall->resident_after
                                       : 0;
  if (given_back > fall->live_bytes / 4) return;
  out.push_back(
      {"retention",
       fmt::format("Live bytes fell by {} {}, but RSS {}.", bytes(fall->live_bytes),
                   from_to(fall->from * profile.timeline.bucket_ns,
                           (fall->to + 1) * profile.timeline.bucket_ns),
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
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  const auto scaled = [](double value, const char* unit) {
    const int decimals = value < 9.95 ? 1 : 0;
    std::string text = fmt::format("{:.{}f}", value, decimals);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return fmt::format("{} {}", text, unit);
  };
  if (ns < 999.5e3) return scaled(ns / 1e3, "us");
  if (ns < 999.5e6) return scaled(ns / 1e6, "ms");
  if (ns < 60e9) return fmt::format("{:.1f} s", std::floor(ns / 1e8) / 10);
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
  find_peak(profile, places, findings);
  find_churn(profile, places, findings);
  find_resized(profile, places, findings);
  find_small_blocks(profile, findings);
  find_rounding(profile, names, findings);
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
