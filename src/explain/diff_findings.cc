#include "explain/diff_findings.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/finding_words.h"

namespace mini::explain {
namespace {

using model::HeapProfile;

// A change is worth a word from this share of what was there before on, and from this much on.
constexpr double kLeastShare = 0.01;
constexpr std::uint64_t kLeastBytes = 4096;
constexpr std::uint64_t kLeastCount = 100;
// A recording whose figures are this much lower may be of a shorter run.
constexpr double kOtherDuration = 2;

struct MeasureWords {
  Measure measure;
  std::string_view growth_kind;
  std::string_view shrinkage_kind;
  std::string_view subject;  // at the begin of a sentence
  bool is_bytes;
  double weight;  // of a change by all that was there before
  Measure whole;  // less than kLeastShare of what was there of that is little
  std::string_view whole_name;
  std::string_view advice;
};

constexpr std::array<MeasureWords, 5> kMeasures = {
    {{Measure::kLeaked, "leaked-growth", "leaked-shrinkage", "Bytes that are never freed", true, 2,
      Measure::kPeak, "the peak of live bytes",
      "See who should free them, or whether they are kept on purpose."},
     {Measure::kPeak, "peak-growth", "peak-shrinkage", "The peak of live bytes", true, 1.5,
      Measure::kPeak, "", "What the program needs at most is decided there."},
     {Measure::kAllocated, "allocated-growth", "allocated-shrinkage", "Allocated bytes", true, 1,
      Measure::kAllocated, "", "More bytes in all cost time, whether or not they are freed."},
     {Measure::kCalls, "calls-growth", "calls-shrinkage", "Allocations", false, 1, Measure::kCalls,
      "", "Each call costs time, whatever its size."},
     {Measure::kTemporary, "temporary-growth", "temporary-shrinkage", "Temporary allocations",
      false, 0.8, Measure::kCalls, "all allocations",
      "Reuse one buffer for all of them, or keep it on the stack."}}};

std::string amount_text(const MeasureWords& words, std::uint64_t amount) {
  return words.is_bytes ? format_bytes(Bytes{amount}) : format_count(amount);
}

/// Of nothing, anything is all.
double part_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
}

/// " (+34%)"; times where that reads better; nothing where there was nothing.
std::string relative_text(const Difference& change, std::uint64_t before) {
  if (before == 0) return "";
  const double part = part_of(change.amount, before);
  if (change.is_growth && part >= 9) return fmt::format(", {:.0f} times as much", 1 + part);
  if (!change.is_growth && change.amount != before) {
    return fmt::format(" (-{:.0f}%)", std::min(100 * part, 99.0));  // something is left
  }
  return fmt::format(" ({}{:.0f}%)", change.is_growth ? '+' : '-', 100 * part);
}

/// "97% of it is in parse at x.cc:88": what the first place has of the whole change.
std::string evidence_of(const ProfileDiff& diff, const MeasureWords& words,
                        const Difference& change) {
  std::vector<GroupDiff> places = diff_places(diff, words.measure);
  std::erase_if(places, [&](const GroupDiff& place) {
    return difference(place, words.measure).is_growth != change.is_growth;
  });
  if (places.empty()) return "No place alone stands out.";
  const GroupDiff& place = places.front();
  const Difference own = difference(place, words.measure);
  const std::uint64_t now = measure_of(place.after, words.measure);
  const std::uint64_t was = measure_of(place.before, words.measure);
  std::string history =
      fmt::format("from {} to {}", amount_text(words, was), amount_text(words, now));
  if (was == 0) history = fmt::format("{} where there was nothing before", amount_text(words, now));
  if (now == 0) history = fmt::format("{} before and nothing now", amount_text(words, was));
  if (own.amount > change.amount) {
    return fmt::format("{} alone {} by {}, {}; other places make up for some of it.", place.name,
                       change.is_growth ? "grew" : "shrank", amount_text(words, own.amount),
                       history);
  }
  return fmt::format("{} of it in {}: {}.", percent_first(part_of(own.amount, change.amount)),
                     place.name, history);
}

void find_change(const ProfileDiff& diff, const MeasureWords& words, std::vector<Finding>& out) {
  const BeforeAndAfter totals = totals_of(diff);
  const Difference change = difference(totals, words.measure);
  const std::uint64_t before = measure_of(totals.before, words.measure);
  const double part = part_of(change.amount, before);
  if (change.amount < (words.is_bytes ? kLeastBytes : kLeastCount) || part < kLeastShare) return;
  Finding finding{.kind = change.is_growth ? words.growth_kind : words.shrinkage_kind,
                  .statement = {},
                  .evidence = evidence_of(diff, words, change),
                  .advice = change.is_growth ? std::string(words.advice) : "",
                  .weight = words.weight * std::min(part, 10.0)};
  finding.statement = fmt::format(
      "{} {} by {}, from {} to {}{}.", words.subject, change.is_growth ? "grew" : "shrank",
      amount_text(words, change.amount), amount_text(words, before),
      amount_text(words, measure_of(totals.after, words.measure)), relative_text(change, before));
  const double of_whole = part_of(change.amount, measure_of(totals.before, words.whole));
  if (of_whole < kLeastShare) {
    finding.evidence += fmt::format(" It is little: under 1% of {}.", words.whole_name);
    finding.weight = words.weight * of_whole;
  }
  if (!change.is_growth) finding.weight *= 0.5;
  out.push_back(std::move(finding));
}

bool is_incomplete(const HeapProfile& profile) {
  const model::ProfileLosses& losses = profile.losses;
  return losses.is_cut || losses.dropped_events != 0 || losses.is_damaged();
}

/// What speaks against comparing the two at all.
void find_conditions(const ProfileDiff& diff, std::vector<Finding>& out) {
  const HeapProfile& before = *diff.before;
  const HeapProfile& after = *diff.after;
  if (is_incomplete(before) || is_incomplete(after)) {
    const bool both = is_incomplete(before) && is_incomplete(after);
    out.push_back(
        {"incomplete",
         fmt::format("{} incomplete: events were dropped, or the file was cut or damaged.",
                     both                    ? "Both recordings are"
                     : is_incomplete(before) ? "The recording before is"
                                             : "The recording after is"),
         "What is missing looks like a change.", "'heapspy report' of each says what is missing.",
         100});
  }
  if (before.process.sample_bytes != after.process.sample_bytes) {
    out.push_back({"other-sampling", "The recordings sample differently.",
                   "Estimates of both differ by chance, too.",
                   "Record both with the same options to compare small changes.", 99});
  }
  const auto shorter = static_cast<double>(std::min(before.duration_ns, after.duration_ns));
  const auto longer = static_cast<double>(std::max(before.duration_ns, after.duration_ns));
  if (longer > kOtherDuration * shorter && longer > 1e9) {
    out.push_back({"other-duration",
                   fmt::format("The recordings are of very different lengths: {} and {}.",
                               format_duration(static_cast<double>(before.duration_ns)),
                               format_duration(static_cast<double>(after.duration_ns))),
                   "More may be allocated because more was done.",
                   "'heapspy report --at' shows one of them as of an earlier moment.", 0.05});
  }
}

}  // namespace

std::vector<Finding> find_in_diff(const ProfileDiff& diff) {
  std::vector<Finding> findings;
  find_conditions(diff, findings);
  for (const MeasureWords& words : kMeasures) {
    if (is_known(diff, words.measure)) find_change(diff, words, findings);
  }
  std::ranges::stable_sort(findings, std::greater<>(), &Finding::weight);
  return findings;
}

}  // namespace mini::explain
