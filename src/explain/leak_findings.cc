// What was never freed, and what is lost.
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "explain/finding_places.h"
#include "explain/finding_words.h"

namespace mini::explain {
namespace {

using model::HeapProfile;

constexpr double kLeakShareOfPeak = 0.05;  // to be named
constexpr double kLittleShareOfPeak = 0.01;

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

bool is_searched(const HeapProfile& profile) {
  return profile.leak_scan.state == model::LeakScan::State::kDone;
}

/// Of what was never freed, that which is not known to be lost.
model::Amount kept_of(const HeapProfile& profile, const Place& place) {
  model::Amount kept = place.leaked;
  if (is_searched(profile)) kept -= place.unreachable;
  return kept;
}

Finding leak_finding(const HeapProfile& profile, const Place& place) {
  const model::Amount kept = kept_of(profile, place);
  const bool is_early = profile.ends_early();
  const LeakWords& words = words_for(profile);
  const std::string until = seconds(profile.duration_ns);
  Finding finding{.kind = "leak", .statement = {}, .evidence = {}, .advice = {}};
  finding.statement = fmt::format(
      "{} in {} from {} were {}{}.", bytes(kept.bytes), blocks(kept.blocks), place.name,
      is_early ? "not freed by " + until : "never freed",
      place.unreachable.blocks != place.leaked.blocks ? ", though pointers still lead to them"
                                                      : "");
  const bool grows = goes_on(profile, place, kept.blocks);
  finding.evidence = fmt::format("That is {} of what was live {}; the place allocated {} of {}.",
                                 percent(share(kept.bytes, profile.totals.live.bytes)), words.when,
                                 from_to(place.first_ns, place.last_ns), until);
  const bool is_little = !grows && kept.bytes < kLittleBytes;
  if (is_little) finding.advice = "It is little: malloc takes more from the kernel at once. ";
  finding.advice += grows ? words.advice_of_growth : words.advice;
  finding.weight =
      weight_of(share(kept.bytes, profile.totals.peak.bytes), is_little) + (grows ? 0.5 : 0);
  return finding;
}

/// Of a place whose blocks nothing leads to any more: no guess at what is kept on purpose. A little
/// that is lost once is a mistake like any other, but not what matters most.
Finding lost_finding(const HeapProfile& profile, const Place& place) {
  const bool is_indirect = place.lost_indirectly == place.unreachable;
  std::string_view why = "nothing points to them any more";
  if (place.lost_indirectly.blocks != 0) why = "only lost blocks, if any, point to them";
  if (is_indirect) why = "only other lost blocks point to them";
  const double of_peak = share(place.unreachable.bytes, profile.totals.peak.bytes);
  const bool is_little =
      of_peak < kLittleShareOfPeak && !goes_on(profile, place, place.unreachable.blocks);
  const double urgency = is_indirect ? 0.5 : 1;
  return {"lost",
          fmt::format("{} in {} from {} are lost: {}.", bytes(place.unreachable.bytes),
                      blocks(place.unreachable.blocks), place.name, why),
          fmt::format("The program's memory was searched at its end; that is {} of what was live "
                      "then{}.",
                      percent(share(place.unreachable.bytes, profile.totals.live.bytes)),
                      is_little ? ", and under 1% of the peak" : ""),
          is_indirect ? "Freeing those should free these, too."
                      : "Free them before the last pointer to them goes.",
          of_peak + (is_little ? 0 : urgency)};
}

}  // namespace

void find_leaks(const HeapProfile& profile, const std::vector<Place>& places, Findings& out) {
  if (is_searched(profile)) {
    for (const Place& place : top(places, [](const Place& p) { return p.unreachable.bytes; })) {
      if (place.unreachable.blocks != 0) out.push_back(lost_finding(profile, place));
    }
  }
  const auto kept_bytes = [&](const Place& place) { return kept_of(profile, place).bytes; };
  for (const Place& place : top(places, kept_bytes)) {
    const std::uint64_t kept = kept_bytes(place);
    if (kept == 0 || share(kept, profile.totals.peak.bytes) < kLeakShareOfPeak) continue;
    out.push_back(leak_finding(profile, place));
  }
}

}  // namespace mini::explain
