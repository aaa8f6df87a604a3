// Findings about memory that a program has and does not use: what the allocator gives beyond what
// was asked for, and pages that were asked for and never touched.
#include <algorithm>
#include <functional>
#include <map>

#include "explain/finding_words.h"
#include "explain/memory_use.h"

namespace mini::explain {
namespace {

using model::Amount;
using model::HeapProfile;

constexpr std::size_t kMostOfAKind = 3;
// A place's rounding is worth a word from here on: of what the place was given, of what all were
// given, and at all.
constexpr double kRoundingShare = 0.10;
constexpr double kRoundingShareOfAll = 0.03;
constexpr std::uint64_t kRoundingBytes = 256U << 10U;
// The same of what was never touched.
constexpr double kUntouchedShare = 0.50;
constexpr double kUntouchedShareByRss = 0.25;  // which is as much less as it can be
constexpr double kUntouchedShareOfPeak = 0.10;
constexpr std::uint64_t kUntouchedBytes = 4U << 20U;
constexpr std::uint64_t kUntouchedBytesOfStack = 64U << 10U;
constexpr std::uint64_t kPageBytes = 4096;
// Page faults tell of user mode only: what a system call wrote into a block, and what came with a
// huge page, is resident without one. So the kernel's own figure has to bear most of it out.
constexpr double kBorneOut = 0.9;
constexpr std::string_view kAdviceOnUntouched =
    "It costs addresses, and memory only once it is touched: ask for less, or later, where a limit "
    "counts what is asked for.";

/// The places with the most of something, at most kMostOfAKind, the most first.
template <typename Place, typename Of>
std::vector<Place> most(std::map<std::string, Place> by_name, const Of& amount) {
  std::vector<Place> places;
  for (auto& [name, place] : by_name) {
    place.name = name;
    places.push_back(std::move(place));
  }
  std::ranges::stable_sort(places, std::greater<>(), amount);
  places.resize(std::min(places.size(), kMostOfAKind));
  return places;
}

struct RoundedPlace {
  std::string name;
  Amount requested;
  std::uint64_t usable_bytes = 0;
  std::uint64_t block_bytes = 0;  // of each, as requested; 0: several sizes

  std::uint64_t rounding_bytes() const { return usable_bytes - requested.bytes; }
};

std::map<std::string, RoundedPlace> rounded_places(const HeapProfile& profile, PlaceNames& names) {
  std::map<std::string, RoundedPlace> places;
  for (const model::StackUsable& stack : profile.usable.stacks) {
    RoundedPlace& place = places[names.of(stack.node)];
    const bool is_first = place.requested.blocks == 0;
    const bool is_alike = is_first || place.block_bytes == stack.block_bytes;
    place.block_bytes = is_alike ? stack.block_bytes : 0;
    place.requested += stack.peak;
    place.usable_bytes += stack.peak_usable_bytes;
  }
  return places;
}

/// "1,040 bytes are asked for, and 1,280 bytes given": of each block, where all are alike.
std::string asked_and_given(const RoundedPlace& place) {
  const auto exact = [](std::uint64_t n) { return counted(n, "byte"); };
  if (place.block_bytes != 0) {
    return fmt::format("{} {} asked for, and {} given", exact(place.block_bytes),
                       place.block_bytes == 1 ? "is" : "are",
                       exact(place.usable_bytes / place.requested.blocks));
  }
  return fmt::format("{} are asked for at a time, and {} given, on average",
                     mean_bytes(place.requested),
                     bytes(place.usable_bytes / place.requested.blocks));
}

struct UntouchedPlace : Untouched {
  std::string name;
};

/// So much at least: a block shares its first and its last page with its neighbours, and the kernel
/// tells of a page only once.
std::uint64_t surely_untouched_bytes(const Untouched& one) {
  const std::uint64_t never = one.untouched_bytes();
  return never - std::min(never, one.peak.blocks * kPageBytes);
}

/// What the kernel's own figure bears out: of what was live at the peak at least so much was never
/// resident, whoever's it was.
class BorneOut {
 public:
  explicit BorneOut(const HeapProfile& profile) {
    const std::uint64_t resident = profile.kernel.peak_resident.count;
    const std::uint64_t peak = profile.totals.peak.bytes;
    const bool is_known = !profile.is_estimate && profile.kernel.samples != 0;
    if (is_known && peak > resident) left_bytes_ = static_cast<double>(peak - resident);
  }

  /// Whether it does so for this, too, and then for so much less of what follows.
  bool take(const Untouched& one) {
    const auto never = static_cast<double>(one.untouched_bytes());
    if (left_bytes_ < kBorneOut * never) return false;
    left_bytes_ -= never;
    return true;
  }

 private:
  double left_bytes_ = 0;
};

std::string about(double part) {
  return part < 0.005 ? "almost nothing" : "about " + percent(part);
}

std::map<std::string, UntouchedPlace> untouched_places(const HeapProfile& profile,
                                                       PlaceNames& names) {
  std::map<std::string, UntouchedPlace> places;
  for (const model::StackProfile& stack : profile.stacks) {
    if (stack.totals.peak.blocks != 0) {
      places[names.of(stack.node)].peak += stack.totals.peak;
    }
  }
  for (const model::TouchProfile& owner : profile.first_touch.owners) {
    const auto place = places.find(names.of(owner.node));
    if (place != places.end()) place->second.touched_bytes += owner.touched.bytes;
  }
  return places;
}

/// Of page faults.
Finding never_touched(const HeapProfile& profile, const UntouchedPlace& place) {
  const std::uint64_t never = place.untouched_bytes();
  return {
      "never-touched",
      fmt::format("{} had {} at the peak, and {} of it ever became resident.", place.name,
                  bytes(place.peak.bytes), about(share(place.touched_bytes, place.peak.bytes))),
      fmt::format("{} of the {} in {} were never touched; RSS was never above {}, where {} were "
                  "live.",
                  bytes(never), bytes(place.peak.bytes), blocks(place.peak.blocks),
                  format_bytes(profile.kernel.peak_resident), bytes(profile.totals.peak.bytes)),
      std::string(kAdviceOnUntouched), share(never, profile.totals.peak.bytes) / 2};
}

/// Without them: RSS is too low for all of it.
Finding not_resident(const HeapProfile& profile, const UntouchedPlace& place) {
  return {"never-touched",
          fmt::format("{} had {} at the peak, of which at most {} were ever resident at once.",
                      place.name, bytes(place.peak.bytes), bytes(place.touched_bytes)),
          fmt::format("RSS was never above {}, where {} were live: these in {}, of {} on average.",
                      format_bytes(profile.kernel.peak_resident), bytes(profile.totals.peak.bytes),
                      blocks(place.peak.blocks), mean_bytes(place.peak)),
          std::string(kAdviceOnUntouched) + " heapspy record --first-touch says what is touched.",
          share(place.untouched_bytes(), profile.totals.peak.bytes) / 2};
}

}  // namespace

std::vector<model::StackUsable> rounded_stacks(const HeapProfile& profile) {
  std::vector<model::StackUsable> stacks = profile.usable.stacks;
  std::erase_if(stacks,
                [](const model::StackUsable& one) { return one.peak_overhead_bytes() == 0; });
  std::ranges::stable_sort(stacks, std::greater<>(), &model::StackUsable::peak_overhead_bytes);
  return stacks;
}

std::vector<UntouchedStack> untouched_stacks(const HeapProfile& profile) {
  if (profile.first_touch.state != model::FirstTouch::State::kRecorded) return {};
  std::map<std::uint32_t, std::uint64_t> touched_bytes;  // by node
  for (const model::TouchProfile& owner : profile.first_touch.owners) {
    touched_bytes[owner.node] += owner.touched.bytes;
  }
  std::vector<UntouchedStack> stacks;
  for (const model::StackProfile& stack : profile.stacks) {
    if (stack.totals.peak.blocks == 0) continue;
    const auto touched = touched_bytes.find(stack.node);
    const UntouchedStack one{
        {.peak = stack.totals.peak,
         .touched_bytes = touched == touched_bytes.end() ? 0 : touched->second},
        stack.node};
    if (surely_untouched_bytes(one) >= kUntouchedBytesOfStack) stacks.push_back(one);
  }
  std::ranges::stable_sort(stacks, std::greater<>(), &UntouchedStack::untouched_bytes);
  BorneOut borne_out(profile);
  // What is less than one that is not borne out is in doubt as well.
  const auto doubtful = std::ranges::find_if_not(
      stacks, [&](const UntouchedStack& one) { return borne_out.take(one); });
  stacks.erase(doubtful, stacks.end());
  return stacks;
}

void find_rounding(const HeapProfile& profile, PlaceNames& names, Findings& out) {
  const model::UsableProfile& all = profile.usable.totals;
  const auto rounding = [](const RoundedPlace& place) { return place.rounding_bytes(); };
  for (const RoundedPlace& place : most(rounded_places(profile, names), rounding)) {
    const std::uint64_t too_many = place.rounding_bytes();
    const double part = share(too_many, place.usable_bytes);
    const double of_all = share(too_many, all.peak_usable_bytes);
    if (part < kRoundingShare || of_all < kRoundingShareOfAll || too_many < kRoundingBytes) {
      continue;
    }
    out.push_back(
        {"rounding",
         fmt::format("{} of what the allocator holds for {} is rounding: {}.", percent_first(part),
                     place.name, asked_and_given(place)),
         fmt::format("At the peak {} had {}, of which {} were asked for: {} beyond that, of {} in "
                     "all blocks together.",
                     blocks(place.requested.blocks), bytes(place.usable_bytes),
                     bytes(place.requested.bytes), bytes(too_many),
                     bytes(all.peak_overhead_bytes())),
         "Ask for a size that the allocator has, put several things into one block, or take an "
         "allocator whose sizes are closer.",
         of_all});
  }
}

void find_never_touched(const HeapProfile& profile, PlaceNames& names, Findings& out) {
  const bool is_recorded = profile.first_touch.state == model::FirstTouch::State::kRecorded;
  if (profile.kernel.samples == 0) return;
  std::map<std::string, UntouchedPlace> places = untouched_places(profile, names);
  if (!is_recorded) {  // it may have been all of RSS
    for (auto& [name, place] : places) place.touched_bytes = profile.kernel.peak_resident.count;
  }
  const double least = is_recorded ? kUntouchedShare : kUntouchedShareByRss;
  BorneOut borne_out(profile);
  const auto untouched = [](const UntouchedPlace& place) { return place.untouched_bytes(); };
  for (const UntouchedPlace& place : most(std::move(places), untouched)) {
    const std::uint64_t never = place.untouched_bytes();
    const std::uint64_t surely = is_recorded ? surely_untouched_bytes(place) : never;
    if (never < kUntouchedBytes ||
        share(never, profile.totals.peak.bytes) < kUntouchedShareOfPeak ||
        share(surely, place.peak.bytes) < least || !borne_out.take(place)) {
      continue;
    }
    out.push_back(is_recorded ? never_touched(profile, place) : not_resident(profile, place));
  }
}

}  // namespace mini::explain
