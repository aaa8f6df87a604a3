// What the heap profile builder's counters add up to, at the end.
#include <algorithm>
#include <array>
#include <utility>

#include "sources/asking_stacks.h"
#include "sources/frame_names.h"
#include "sources/heap_profile_builder.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t least_with_bits(unsigned bits) {
  return bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
}

constexpr std::uint64_t most_with_bits(unsigned bits) {
  return bits == 64 ? UINT64_MAX : (std::uint64_t{1} << bits) - 1;
}

}  // namespace

/// Of what is still live, what was lost when the scan was made. A block that has been given out
/// since is another one.
void HeapProfileBuilder::finish_leak_scan(model::HeapProfile& profile) {
  profile.leak_scan = leak_scan_;
  if (leak_scan_.state != model::LeakScan::State::kDone) return;
  // A hostile recording may name a block twice.
  const auto address = &recording::LostBlock::address;
  std::ranges::sort(lost_blocks_, {}, address);
  const auto again = std::ranges::unique(lost_blocks_, {}, address);
  lost_blocks_.erase(again.begin(), again.end());
  for (const recording::LostBlock& lost : lost_blocks_) {
    const auto block = blocks_.table().at(lost.address);
    if (!block || !counts(*block) || block->time_ns > leak_scan_.time_ns) continue;
    for (RareCounter* counter :
         {&stacks_.rare_of(stacks_[block->stack]), &cells_.rare_of(cells_[block->cell])}) {
      counter->unreachable += block->amount();
      if (lost.is_indirect) counter->lost_indirectly += block->amount();
    }
  }
}

model::BlockTotals HeapProfileBuilder::totals_of(const HeapCounters& counters,
                                                 const HeapCounter& counter) const {
  const RareCounter rare = counters.rare_or_none(counter);
  model::BlockTotals totals;
  totals.allocated = counter.allocated;
  totals.live = counter.live();
  totals.lost = rare.lost;
  if (leak_scan_.state == model::LeakScan::State::kDone) {
    totals.reachable = totals.live;
    totals.reachable -= rare.unreachable;
    totals.lost_indirectly = rare.lost_indirectly;
  }
  totals.freed = counter.gone;  // P2
  totals.freed -= rare.lost;
  totals.temporary = counter.temporary;
  totals.peak = counter.epoch == epoch_ ? counter.saved : totals.live;
  totals.resized = counter.resized;
  totals.lifetime_ns = counter.lifetime_ns;
  totals.allocated_variance = rare.allocated_variance;
  return totals;
}

/// Of what is live, where that is less than half of the peak: else pages are full of it.
LivePages HeapProfileBuilder::live_pages() const {
  LivePages pages;
  if (live_.bytes >= peak_.bytes / 2 || profile_.is_estimate) return pages;
  blocks_.table().for_each([&](Address address, const LiveBlock& block) {
    if (counts(block)) pages.add(address, block.bytes, block.stack);
  });
  pages.finish();
  return pages;
}

void HeapProfileBuilder::finish_stacks(model::HeapProfile& profile) {
  blocks_.table().for_each([&](Address, const LiveBlock& block) {
    if (!counts(block)) return;
    const std::uint64_t held_ns =
        profile.duration_ns - std::min(block.time_ns, profile.duration_ns);
    stacks_[block.stack].held_byte_ns +=
        static_cast<double>(block.bytes) * static_cast<double>(held_ns);
  });
  const LivePages pages = live_pages();
  profile.live_pages = pages.all();
  profile.stacks.reserve(stacks_.size() - 1);
  for (std::uint32_t i = 1; i < stacks_.size(); ++i) {
    const HeapCounter& stack = stacks_[i];
    const model::BlockTotals totals = totals_of(stacks_, stack);
    const RareCounter rare = stacks_.rare_or_none(stack);
    // Else all that it asked for became memory of pools.
    if ((totals.allocated.blocks | totals.peak.blocks) == 0) continue;
    profile.stacks.push_back({.node = stack.owner,
                              .part = stack.part,
                              .totals = totals,
                              .held_byte_ns = stack.held_byte_ns,
                              .first_ns = stack.first_ns,
                              .last_ns = stack.last_ns,
                              .outgrown = rare.made_room[1],
                              .replaced = rare.made_room[0],
                              .live_pages = pages.of(i)});
    if (!usable_.is_used()) continue;
    model::StackUsable usable =
        usable_.finish_stack(i, stack.only_size, profile.stacks.back().totals.peak, epoch_);
    usable.node = stack.owner;
    if (usable.peak.blocks != 0) profile.usable.stacks.push_back(usable);
  }
  stacks_ = {};  // what comes takes memory, too
}

/// Threads, sizes, lifetimes and all together.
void HeapProfileBuilder::finish_cells(model::HeapProfile& profile) const {
  std::array<model::BlockTotals, kSizeRanges> sizes{};
  for (std::uint32_t i = 1; i < cells_.size(); ++i) {
    const HeapCounter& cell = cells_[i];
    const model::BlockTotals totals = totals_of(cells_, cell);
    for (model::BlockTotals* sum :
         {&profile.totals, &profile.threads[cell.owner].totals, &sizes[cell.part]}) {
      *sum += totals;
    }
  }
  for (std::size_t i = 0; i < thread_states_.size(); ++i) {
    profile.threads[i].frees_by_others = thread_states_[i].frees_by_others;
    profile.threads[i].first_ns = thread_states_[i].first_ns;
    profile.threads[i].last_ns = thread_states_[i].last_ns;
  }
  for (unsigned bits = 0; bits < lifetimes_.size(); ++bits) {
    const std::uint64_t least = least_with_bits(bits);
    const std::uint64_t most = most_with_bits(bits);
    if (bits < sizes.size() && (sizes[bits].allocated.blocks | sizes[bits].peak.blocks) != 0) {
      profile.sizes.push_back({.least_bytes = least, .most_bytes = most, .totals = sizes[bits]});
    }
    if (lifetimes_[bits].blocks != 0) {
      profile.lifetimes.push_back({.least_ns = least, .most_ns = most, .freed = lifetimes_[bits]});
    }
  }
}

/// Ranges of sizes have their positions now; threads always had.
void HeapProfileBuilder::finish_parts(model::HeapProfile& profile) {
  if (profile.division != model::StackDivision::kSize) return;
  for (model::StackProfile& stack : profile.stacks) {
    const auto size = std::ranges::find(profile.sizes, least_with_bits(stack.part),
                                        &model::SizeProfile::least_bytes);
    stack.part = static_cast<std::uint32_t>(size - profile.sizes.begin());
  }
}

void HeapProfileBuilder::finish_facts(model::HeapProfile& profile,
                                      const recording::Summary& summary) const {
  const recording::ProcessFacts& process = summary.process;
  profile.process = {.pid = process.pid,
                     .command = process.command,
                     .executable = process.executable,
                     .start_unix_ns = process.start_unix_ns,
                     .sample_bytes = process.sample_bytes};
  profile.is_estimate = profile.is_estimate || process.sample_bytes != 0;
  if (summary.ending) {
    static constexpr std::array kKinds = {
        model::ProfileEnding::Kind::kExited, model::ProfileEnding::Kind::kKilled,
        model::ProfileEnding::Kind::kExec, model::ProfileEnding::Kind::kDetached};
    const auto kind = static_cast<std::size_t>(summary.ending->kind);
    if (kind < kKinds.size()) profile.ending.kind = kKinds[kind];
    profile.ending.status = summary.ending->status;
    profile.losses.dropped_events = summary.ending->losses.dropped_events;
    profile.losses.truncated_stacks = summary.ending->losses.truncated_stacks;
  }
  profile.losses.skipped_blocks = summary.damage.skipped_blocks;
  profile.losses.skipped_bytes = summary.damage.skipped_bytes;
  profile.losses.is_cut = summary.damage.is_cut;
}

void HeapProfileBuilder::name_frames() {
  sources::name_frames(profile_);
}

model::HeapProfile HeapProfileBuilder::finish(const recording::Summary& summary) {
  events_end();
  const HeapLevels levels = heap_levels();
  model::HeapProfile profile = std::move(profile_);
  profile.span = span_;
  profile.duration_ns = now_ns_;
  if (summary.ending) {
    profile.duration_ns = std::max(now_ns_, std::min(summary.ending->time_ns, span_.until_ns));
  }
  if (part_ == Part::kAfter) profile.duration_ns = std::max(now_ns_, span_.until_ns);
  finish_facts(profile, summary);
  inherited_.finish(profile.inheritance);
  profile.usable = usable_.finish(epoch_);
  profile.first_touch = touch_.finish();
  profile.thread_arenas = arenas_.finish();
  finish_leak_scan(profile);
  finish_stacks(profile);
  leave_out_operator_new(profile);
  finish_cells(profile);
  finish_parts(profile);
  profile.mappings.erase(profile.mappings.begin());  // 0, who mapped nothing
  profile.timeline = timeline_.finish(profile.duration_ns, levels);
  return profile;
}

}  // namespace mini::sources
