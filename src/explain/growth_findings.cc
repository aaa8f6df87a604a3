// Blocks that make room for larger ones: containers that are copied as they grow.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "explain/finding_places.h"
#include "explain/finding_words.h"
#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

using model::HeapProfile;

// A place is named from here on: of all allocations, or of all bytes, and so many, or so much.
constexpr double kShare = 0.10;
constexpr std::uint64_t kFewTimes = 100;
constexpr std::uint64_t kMuchBytes = 1U << 20U;
constexpr std::uint64_t kLittleTimes = 1000;
// Of what only makes room for the next of its kind, as in a cache or a queue, every other one is
// larger than the next.
constexpr std::uint64_t kTimesMoreOften = 10;

struct Container {
  std::string_view class_name;
  std::string_view plural;
  std::string_view advice;
};
constexpr std::string_view kReserve =
    "Call reserve() first, with the number of elements or an estimate of it; what grew too far, "
    "shrink_to_fit() gives back.";
constexpr std::string_view kAppend =
    "Append to the string itself (+=), and call reserve() before where the length is known.";
constexpr std::string_view kReserveAll = "Call reserve() first, with the number of elements.";
constexpr std::array<Container, 8> kContainers = {{
    {"std::vector<", "Vectors grow", kReserve},
    {"std::__1::vector<", "Vectors grow", kReserve},
    {"std::__cxx11::basic_string<", "Strings grow", kAppend},
    {"std::basic_string<", "Strings grow", kAppend},
    {"std::__1::basic_string<", "Strings grow", kAppend},
    {"std::_Hashtable<", "Hash tables grow", kReserveAll},
    {"std::__1::__hash_table<", "Hash tables grow", kReserveAll},
    {"std::deque<", "Deques grow", "Keep a deque that is used again, rather than a new one."},
}};
constexpr Container kNoContainer = {
    .class_name = "",
    .plural = "Blocks are replaced by larger ones,",
    .advice = "Ask for the final size at once, or grow by a factor."};

/// Which of the containers of the C++ library a stack's block is for.
const Container& container_of(const HeapProfile& profile, std::uint32_t node) {
  for (const ProfileFrameView& frame : way_to_place(profile, node).frames) {
    if (frame.line == nullptr) continue;
    const std::string name = short_function(frame.line->function);
    const auto known = std::ranges::find_if(
        kContainers, [&](const Container& one) { return name.starts_with(one.class_name); });
    if (known != kContainers.end()) return *known;
  }
  return kNoContainer;
}

/// Of the stack of the place that has the most of it.
const Container& container_of(const HeapProfile& profile, PlaceNames& names, const Place& place) {
  const model::StackProfile* most = nullptr;
  for (const model::StackProfile& stack : profile.stacks) {
    if (most != nullptr && stack.outgrown.bytes <= most->outgrown.bytes) continue;
    if (names.of(stack.node) == place.name) most = &stack;
  }
  return most == nullptr ? kNoContainer : container_of(profile, most->node);
}

/// What of all is done again since it was not done at once.
double part_of(const HeapProfile& profile, const Place& place) {
  return std::max(share(place.outgrown.blocks, profile.totals.allocated.blocks),
                  share(place.outgrown.bytes, profile.totals.allocated.bytes));
}

}  // namespace

void find_growth(const HeapProfile& profile, PlaceNames& names, const std::vector<Place>& places,
                 Findings& out) {
  for (const Place& place : top(places, [](const Place& p) { return p.outgrown.bytes; })) {
    const model::Amount old = place.outgrown;
    const double part = part_of(profile, place);
    const bool is_much = old.bytes >= kMuchBytes;
    if (part < kShare || (old.blocks < kFewTimes && !is_much) ||
        old.blocks < place.replaced.blocks * kTimesMoreOften) {
      continue;
    }
    const Container& container = container_of(profile, names, place);
    out.push_back(
        {"growth",
         fmt::format("{} step by step in {}: {} times, {} outgrown.", container.plural, place.name,
                     format_count(old.blocks), bytes(old.bytes)),
         fmt::format(
             "Of {} that it made, {} took the place of a smaller one, which was freed next: "
             "its content was copied, and both were live meanwhile.",
             blocks(place.allocated.blocks), format_count(old.blocks)),
         std::string(container.advice),
         weight_of(part / 2, !is_much && old.blocks < kLittleTimes)});
  }
}

}  // namespace mini::explain
