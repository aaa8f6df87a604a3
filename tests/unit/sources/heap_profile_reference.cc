#include "heap_profile_reference.h"

#include <bit>
#include <functional>
#include <optional>

namespace mini::sources {
namespace {

/// A definition rather than an algorithm: the block's thread frees it and has not allocated since.
bool is_temporary(const std::vector<HeapEvent>& events, std::size_t born, std::size_t freed) {
  const auto thread = std::get<recording::Allocation>(events[born]).thread;
  if (std::get<recording::Free>(events[freed]).thread != thread || thread == 0) return false;
  for (std::size_t i = born + 1; i < freed; ++i) {
    const auto* allocation = std::get_if<recording::Allocation>(&events[i]);
    if (allocation != nullptr && allocation->thread == thread) return false;
  }
  return true;
}

class Reference {
 public:
  explicit Reference(const std::vector<HeapEvent>& events) : events_(events) {}

  ReferenceProfile run() {
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (const auto* allocation = std::get_if<recording::Allocation>(&events_[i])) {
        allocated(i, *allocation);
      } else {
        freed(i, std::get<recording::Free>(events_[i]));
      }
    }
    return profile_;
  }

 private:
  void each(const recording::Allocation& block,
            const std::function<void(ReferenceTotals&)>& change) {
    change(profile_.totals);
    change(profile_.stacks[block.stack]);
    change(profile_.threads[block.thread]);
    change(profile_.sizes[static_cast<std::uint32_t>(std::bit_width(block.requested_bytes))]);
  }

  void allocated(std::size_t i, const recording::Allocation& event) {
    if (const auto old = live_.find(event.address); old != live_.end()) {
      const auto& block = std::get<recording::Allocation>(events_[old->second]);
      const model::Amount amount{1, block.requested_bytes};
      each(block, [&](ReferenceTotals& t) { t.live -= amount, t.lost += amount; });
    }
    live_[event.address] = i;
    const model::Amount amount{1, event.requested_bytes};
    each(event, [&](ReferenceTotals& t) {
      t.live += amount, t.allocated += amount;
      if (event.kind == recording::CallKind::kRealloc) ++t.resized;
    });
    const model::Amount live = profile_.totals.live;
    const model::Amount peak = profile_.totals.peak;
    if (live.bytes <= peak.bytes && (peak.bytes != 0 || live.blocks <= peak.blocks)) return;
    profile_.peak_time_ns = event.time_ns;
    profile_.totals.peak = profile_.totals.live;
    for (auto* map : {&profile_.stacks, &profile_.threads, &profile_.sizes}) {
      for (auto& [number, totals] : *map) totals.peak = totals.live;
    }
  }

  void freed(std::size_t i, const recording::Free& event) {
    const auto found = live_.find(event.address);
    if (found == live_.end()) {
      ++profile_.frees_not_seen;
      return;
    }
    const auto& block = std::get<recording::Allocation>(events_[found->second]);
    const model::Amount amount{1, block.requested_bytes};
    const bool temporary = is_temporary(events_, found->second, i);
    each(block, [&](ReferenceTotals& t) {
      t.live -= amount, t.freed += amount;
      if (temporary) t.temporary += amount;
    });
    live_.erase(found);
  }

  const std::vector<HeapEvent>& events_;
  std::map<Address, std::size_t> live_;
  ReferenceProfile profile_;
};

}  // namespace

ReferenceProfile reference_profile(const std::vector<HeapEvent>& events) {
  return Reference(events).run();
}

}  // namespace mini::sources
