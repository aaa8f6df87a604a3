#include "sources/first_touch_counter.h"

#include <algorithm>

namespace mini::sources {

void FirstTouchCounter::watched(const recording::TouchWatch& watch) {
  touch_.state = watch.refusal.empty() ? model::FirstTouch::State::kRecorded
                                       : model::FirstTouch::State::kRefused;
  touch_.refusal = watch.refusal;
  touch_.lost = std::max(touch_.lost, watch.lost);
}

void FirstTouchCounter::count(model::Amount& total, std::uint32_t owner_node) {
  constexpr model::Amount kOnePage{.blocks = 1, .bytes = kPageBytes};
  total += kOnePage;
  owners_[owner_node] += kOnePage;
}

void FirstTouchCounter::count_elsewhere(const Early& early) {
  if (early.mapping_node != 0) {
    count(touch_.in_mappings, early.mapping_node);
  } else {
    touch_.elsewhere += {.blocks = 1, .bytes = kPageBytes};
  }
}

void FirstTouchCounter::allocated(Address address, std::uint64_t bytes, std::uint32_t node,
                                  recording::ThreadNumber thread) {
  sampled(address, bytes, node);
  if (early_.empty()) return;
  std::erase_if(early_, [&](const Early& early) {
    if (early.thread != thread || early.address.value + kHeaderBytes < address.value ||
        early.address.value >= address.value + bytes) {
      return false;
    }
    count(touch_.in_blocks, node);
    return true;
  });
}

void FirstTouchCounter::sampled(Address address, std::uint64_t bytes, std::uint32_t node) {
  ranges_[address.value] = {.end = address.value + bytes, .node = node};
}

std::uint64_t FirstTouchCounter::freed(Address address) {
  const auto found = ranges_.find(address.value);
  if (found == ranges_.end()) return 0;
  const std::uint64_t bytes = found->second.end - address.value;
  ranges_.erase(found);
  return bytes;
}

void FirstTouchCounter::touched(const recording::Touch& touch, std::uint32_t mapping_node,
                                std::uint32_t toucher_node) {
  touchers_[toucher_node] += {.blocks = 1, .bytes = kPageBytes};
  const std::uint64_t at = touch.address.value;
  const auto after = ranges_.upper_bound(at);
  if (after != ranges_.begin()) {
    const Range& range = std::prev(after)->second;
    if (at < range.end) return count(touch_.in_blocks, range.node);
  }
  if (after != ranges_.end() && after->first - at <= kHeaderBytes) {
    return count(touch_.in_blocks, after->second.node);
  }
  if (early_.size() == kMostEarly) {
    count_elsewhere(early_.front());
    early_.erase(early_.begin());
  }
  early_.push_back(
      {.address = touch.address, .thread = touch.thread, .mapping_node = mapping_node});
}

model::FirstTouch FirstTouchCounter::finish() const {
  FirstTouchCounter rest = *this;
  for (const Early& early : rest.early_) rest.count_elsewhere(early);
  for (const auto& [node, touched] : rest.owners_) {
    rest.touch_.owners.push_back({.node = node, .touched = touched});
  }
  for (const auto& [node, touched] : rest.touchers_) {
    rest.touch_.touchers.push_back({.node = node, .touched = touched});
  }
  return rest.touch_;
}

}  // namespace mini::sources
