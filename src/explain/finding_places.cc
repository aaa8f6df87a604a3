#include "explain/finding_places.h"

#include <algorithm>
#include <map>
#include <utility>

namespace mini::explain {
namespace {

constexpr std::size_t kMostOfAKind = 3;

}  // namespace

std::vector<Place> places_of(const model::HeapProfile& profile, PlaceNames& names) {
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
    place.outgrown += stack.outgrown;
    place.replaced += stack.replaced;
    place.live_pages += stack.live_pages;
    place.first_ns = std::min(place.first_ns, stack.first_ns);
    place.last_ns = std::max(place.last_ns, stack.last_ns);
  }
  std::vector<Place> places;
  for (auto& [name, place] : by_name) places.push_back(std::move(place));
  return places;
}

std::vector<Place> top(std::vector<Place> places,
                       const std::function<std::uint64_t(const Place&)>& amount) {
  std::ranges::stable_sort(places, std::greater<>(), amount);
  places.resize(std::min(places.size(), kMostOfAKind));
  return places;
}

}  // namespace mini::explain
