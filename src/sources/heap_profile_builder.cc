#include "sources/heap_profile_builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace mini::sources {
namespace {

constexpr std::size_t kMostMarkers = 1000;
// A block that was there before the time that is reported on.
constexpr std::uint32_t kBefore = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint64_t least_with_bits(unsigned bits) {
  return bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
}

constexpr std::uint64_t most_with_bits(unsigned bits) {
  return bits == 64 ? UINT64_MAX : (std::uint64_t{1} << bits) - 1;
}

model::Amount amount_of(const LiveBlock& block) {
  return {.blocks = block.blocks, .bytes = block.bytes};
}

}  // namespace

HeapProfileBuilder::HeapProfileBuilder(model::TimeSpan span, std::size_t most_buckets)
    : span_(span),
      counter_of_node_(1),
      stacks_(1),
      thread_counters_(1),
      sizes_(),
      lifetimes_(),
      timeline_(most_buckets) {
  profile_.modules.emplace_back();
  profile_.frames.emplace_back();
  profile_.nodes.emplace_back();
  profile_.threads.emplace_back();
  profile_.mappings.emplace_back();
}

void HeapProfileBuilder::module(recording::ModuleNumber number,
                                const recording::ModuleFacts& facts) {
  modules_.define(number, static_cast<std::uint32_t>(profile_.modules.size()));
  profile_.modules.push_back({.path = facts.path, .build_id = facts.build_id});
}

void HeapProfileBuilder::thread(recording::ThreadNumber number,
                                const recording::ThreadFacts& facts) {
  if (const std::uint32_t known = threads_.find(number); known != 0) {
    profile_.threads[known].name = facts.name;  // it has been given another name
    return;
  }
  if (profile_.threads.size() > LiveBlocks::kMostThread) return;
  threads_.define(number, static_cast<std::uint32_t>(profile_.threads.size()));
  profile_.threads.push_back({.tid = facts.tid, .name = facts.name, .totals = {}});
  thread_counters_.emplace_back();
}

void HeapProfileBuilder::frame(recording::FrameNumber number, const recording::FrameFacts& facts) {
  frames_.define(number, static_cast<std::uint32_t>(profile_.frames.size()));
  profile_.frames.push_back(
      {.module = modules_.find(facts.module), .address = facts.address, .lines = {}});
}

void HeapProfileBuilder::source(recording::FrameNumber number,
                                const std::vector<recording::SourceFrame>& lines) {
  const std::uint32_t position = frames_.find(number);
  if (position == 0) return;
  std::vector<model::SourceLine>& out = profile_.frames[position].lines;
  out.clear();
  for (const recording::SourceFrame& line : lines) {
    out.push_back({line.function, line.file, line.line, line.inlined});
  }
}

void HeapProfileBuilder::stack(recording::StackNumber number, const recording::StackFacts& facts) {
  // Looked up first: a stack that claims to be its own caller has none (P4).
  const std::uint32_t caller = nodes_.find(facts.caller);
  nodes_.define(number, static_cast<std::uint32_t>(profile_.nodes.size()));
  profile_.nodes.push_back({.caller = caller, .frame = frames_.find(facts.frame)});
  counter_of_node_.push_back(0);
}

// What every event runs through is declared inline: in position-independent code the compiler would
// otherwise make calls of it.

/// Whether an event counts; its time becomes one that does not go back, from the span's begin on.
inline bool HeapProfileBuilder::enter(std::uint64_t& time_ns) {
  if (time_ns > span_.until_ns) return false;
  now_ns_ = time_ns = std::clamp(time_ns, now_ns_, LiveBlocks::kMostTimeNs);
  return true;
}

inline std::uint32_t HeapProfileBuilder::stack_counter(recording::StackNumber number) {
  const std::uint32_t node = nodes_.find(number);
  if (node == 0) ++profile_.losses.unknown_stacks;
  if (counter_of_node_[node] == 0) {
    counter_of_node_[node] = static_cast<std::uint32_t>(stacks_.size());
    stacks_.emplace_back();
    stacks_.back().node = node;
    stacks_.back().first_ns = stacks_.back().changed_ns = now_ns_;
  }
  return counter_of_node_[node];
}

/// The blocks that a sampled one stands for are rarely a whole number: what is left over goes into
/// the stack's next one, so that sums of whole numbers stay true in the long run.
inline model::Amount HeapProfileBuilder::stands_for(const recording::Allocation& allocation,
                                                    StackCounter& stack) {
  const std::uint64_t size = std::min(allocation.requested_bytes, recording::kMostBlockBytes);
  if (allocation.weight_bytes == 0) [[likely]]
    return {.blocks = 1, .bytes = size};
  const std::uint64_t weight = std::min(allocation.weight_bytes, recording::kMostBlockBytes);
  constexpr double kMost = LiveBlocks::kMostBlocks;
  const double exact =
      static_cast<double>(weight) / static_cast<double>(std::max<std::uint64_t>(size, 1));
  const double blocks = std::clamp(std::floor(exact + stack.carry), 1.0, kMost);
  stack.carry = std::clamp(exact + stack.carry - blocks, 0.0, 1.0);
  return {.blocks = static_cast<std::uint64_t>(blocks), .bytes = weight};
}

inline HeapProfileBuilder::Counters HeapProfileBuilder::counters_of(const LiveBlock& block) {
  return {&stacks_[block.stack], &thread_counters_[block.thread], &sizes_[block.size_range]};
}

/// K1, before a counter changes that is not part of a new maximum.
inline void HeapProfileBuilder::keep(Counter& counter) const {
  if (counter.epoch == epoch_) return;
  counter.saved = counter.live;
  counter.epoch = epoch_;
}

inline void HeapProfileBuilder::hold(StackCounter& stack, std::uint64_t time_ns) const {
  stack.held_byte_ns +=
      static_cast<double>(stack.live.bytes) * static_cast<double>(time_ns - stack.changed_ns);
  stack.changed_ns = time_ns;
}

inline void HeapProfileBuilder::add_live(const Counters& counters, model::Amount amount,
                                         std::uint64_t time_ns) {
  totals_.live += amount;
  const bool is_new_maximum = totals_.live.bytes > peak_.bytes;
  if (is_new_maximum) {
    ++epoch_;
    peak_ = totals_.live;
    profile_.peak_time_ns = time_ns;
  }
  for (Counter* counter : counters) {
    if (!is_new_maximum) keep(*counter);
    counter->live += amount;
    counter->allocated += amount;
  }
}

inline void HeapProfileBuilder::remove_live(const LiveBlock& block, const Counters& counters,
                                            std::uint64_t time_ns) {
  hold(stacks_[block.stack], time_ns);
  totals_.live -= amount_of(block);
  for (Counter* counter : counters) {
    keep(*counter);
    counter->live -= amount_of(block);
  }
}

/// See BlockTotals: the probability with which a block was recorded is its size by its weight.
void HeapProfileBuilder::add_variance(const recording::Allocation& allocation,
                                      const Counters& counters) {
  const auto weight = static_cast<double>(allocation.weight_bytes);
  const auto size =
      static_cast<double>(std::min(allocation.requested_bytes, recording::kMostBlockBytes));
  const double variance = weight * weight * std::max(0.0, 1 - size / weight);
  totals_.allocated_variance += variance;
  for (Counter* counter : counters) counter->allocated_variance += variance;
}

/// What is not in the counters. A pool's block has a bit in its address, and no usable size.
inline void HeapProfileBuilder::forget(Address address, const LiveBlock& block) {
  if (usable_.is_used() && block.blocks == 1 && address.value >> 63U == 0) {
    usable_.freed(address, block.bytes, epoch_);
  }
  if (touch_.is_used()) [[unlikely]]
    touch_.freed(address);
}

/// A free was lost: a live block's address was given out again.
void HeapProfileBuilder::lose(Address address, const LiveBlock& block, std::uint64_t time_ns) {
  if (block.stack == kBefore) return;
  const Counters counters = counters_of(block);
  remove_live(block, counters, time_ns);
  forget(address, block);
  totals_.lost += amount_of(block);
  for (Counter* counter : counters) counter->lost += amount_of(block);
}

void HeapProfileBuilder::allocation(const recording::Allocation& allocation) {
  std::uint64_t time_ns = allocation.time_ns;
  if (!enter(time_ns)) return;
  LiveBlock block{.time_ns = time_ns, .stack = kBefore};
  if (time_ns < span_.from_ns) {
    blocks_.put(allocation.place, allocation.address, block);
    return;
  }
  block.stack = stack_counter(allocation.stack);
  StackCounter& stack = stacks_[block.stack];
  const model::Amount amount = stands_for(allocation, stack);
  block.bytes = amount.bytes;
  block.blocks = static_cast<std::uint32_t>(amount.blocks);
  block.thread = threads_.find(allocation.thread);
  block.size_range = static_cast<std::uint8_t>(
      std::bit_width(std::min(allocation.requested_bytes, recording::kMostBlockBytes)));
  if (const auto before = blocks_.put(allocation.place, allocation.address, block))
    lose(allocation.address, *before, time_ns);

  ++profile_.allocation_events;
  profile_.is_estimate = profile_.is_estimate || allocation.weight_bytes != 0;
  hold(stack, time_ns);
  stack.last_ns = time_ns;
  ThreadCounter& thread = thread_counters_[block.thread];
  if (thread.allocated.blocks == 0) thread.first_ns = time_ns;
  thread.last_ns = time_ns;
  // Where the recording samples, nobody knows what else its thread allocated before the free.
  thread.last_address = allocation.weight_bytes == 0 ? allocation.address : Address{};
  totals_.allocated += amount;
  if (allocation.weight_bytes != 0) [[unlikely]] {
    add_variance(allocation, counters_of(block));
  }
  const Counters counters = counters_of(block);
  const std::uint64_t epoch_before = epoch_;
  add_live(counters, amount, time_ns);
  if (usable_.is_used() && allocation.weight_bytes == 0 &&
      allocation.kind != recording::CallKind::kPool) {
    usable_.allocated(allocation.address, block.bytes, epoch_, epoch_ != epoch_before);
  }
  if (touch_.is_used()) [[unlikely]] {
    touch_.allocated(allocation.address, allocation.requested_bytes, stack.node, allocation.thread);
  }
  if (allocation.kind == recording::CallKind::kRealloc) {
    totals_.resized += amount.blocks;
    for (Counter* counter : counters) counter->resized += amount.blocks;
  }
  timeline_.allocated(time_ns, totals_.live.bytes);
}

void HeapProfileBuilder::free(const recording::Free& free) {
  std::uint64_t time_ns = free.time_ns;
  if (!enter(time_ns)) return;
  const LiveBlock* const block = blocks_.take(free.place, free.address);
  const bool is_inherited = block == nullptr && inherited_.take(free.address);
  if (time_ns < span_.from_ns) return;
  ++profile_.free_events;
  if (block == nullptr || block->stack == kBefore) {
    if (!is_inherited) ++profile_.losses.frees_not_seen;
    return;
  }
  const model::Amount amount = amount_of(*block);
  const std::uint32_t thread = threads_.find(free.thread);
  ThreadCounter& owner = thread_counters_[block->thread];
  const bool is_own = thread == block->thread;
  // A live block at the owner's last address is the owner's last allocation.
  const bool is_temporary = is_own && thread != 0 && owner.last_address == free.address;
  if (!is_own) owner.frees_by_others += amount.blocks;
  const std::uint64_t lifetime_ns = time_ns - block->time_ns;
  const double lifetimes_ns = static_cast<double>(lifetime_ns) * static_cast<double>(amount.blocks);
  const Counters counters = counters_of(*block);
  remove_live(*block, counters, time_ns);
  forget(free.address, *block);
  for (Counter* counter : {&totals_, counters[0], counters[1], counters[2]}) {
    if (is_temporary) counter->temporary += amount;
    counter->lifetime_ns += lifetimes_ns;
  }
  lifetimes_[static_cast<std::size_t>(std::bit_width(lifetime_ns))] += amount;
  timeline_.freed(time_ns, totals_.live.bytes);
}

void HeapProfileBuilder::sample(const recording::KernelSample& sample) {
  std::uint64_t time_ns = sample.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  model::KernelFigures& kernel = profile_.kernel;
  // VmHWM is of the process's whole life: it says nothing of a part of it.
  const Bytes peak = span_ == model::TimeSpan{} ? std::max(sample.peak_resident, sample.resident)
                                                : sample.resident;
  kernel.peak_resident = std::max(kernel.peak_resident, peak);
  if (kernel.samples == 0 || sample.resident > kernel.most_resident) {
    kernel.most_resident = sample.resident;
    kernel.most_time_ns = time_ns;
    kernel.agent_resident = sample.agent_resident;
  }
  note_sample_at_peak(time_ns, sample.resident);
  kernel.last_resident = sample.resident;
  kernel.most_proportional = std::max(kernel.most_proportional, sample.proportional);
  kernel.most_break = std::max(kernel.most_break, sample.break_bytes);
  kernel.last_break = sample.break_bytes;
  kernel.last_time_ns = time_ns;
  ++kernel.samples;
  timeline_.sampled(time_ns, {.resident_bytes = sample.resident.count,
                              .break_bytes = sample.break_bytes.count,
                              .mapped_bytes = sample.mapped_bytes.count});
}

/// Of the samples before and after the peak so far, the nearer one. REQUIRES: last_resident is the
/// one before.
void HeapProfileBuilder::note_sample_at_peak(std::uint64_t time_ns, Bytes resident) {
  model::KernelFigures& kernel = profile_.kernel;
  if (profile_.peak_time_ns == sampled_peak_ns_ && kernel.at_peak_time_ns != 0) return;
  sampled_peak_ns_ = profile_.peak_time_ns;
  const std::uint64_t after = time_ns - profile_.peak_time_ns;
  const bool is_before_nearer =
      kernel.samples != 0 && profile_.peak_time_ns - kernel.last_time_ns < after;
  kernel.resident_at_peak = is_before_nearer ? kernel.last_resident : resident;
  kernel.at_peak_time_ns = is_before_nearer ? kernel.last_time_ns : time_ns;
}

void HeapProfileBuilder::usable_size(const recording::UsableSize& usable) {
  std::uint64_t time_ns = usable.time_ns;
  if (enter(time_ns)) usable_.told(usable);
}

void HeapProfileBuilder::touch_watch(const recording::TouchWatch& watch) {
  touch_.watched(watch);
}

void HeapProfileBuilder::touch(const recording::Touch& touch) {
  std::uint64_t time_ns = touch.time_ns;
  if (!enter(time_ns)) return;
  if (!touch_.is_used()) {
    touch_.begin(blocks_.table(), [this](std::uint32_t stack) {
      return stack == kBefore ? 0 : stacks_[stack].node;
    });
  }
  if (time_ns < span_.from_ns) return;
  const std::uint32_t mapping = mapped_.owner_of(touch.address);
  touch_.touched(touch, mapping != 0 ? profile_.mappings[mapping].node : 0,
                 nodes_.find(touch.stack));
}

std::uint32_t HeapProfileBuilder::mapping_counter(recording::StackNumber number) {
  const std::uint32_t node = nodes_.find(number);
  if (mapping_of_node_.size() <= node) mapping_of_node_.resize(node + std::size_t{1});
  if (mapping_of_node_[node] == 0) {
    mapping_of_node_[node] = static_cast<std::uint32_t>(profile_.mappings.size());
    profile_.mappings.push_back({.node = node});
  }
  return mapping_of_node_[node];
}

void HeapProfileBuilder::unmap(Address begin, Bytes size) {
  mapped_.unmap(begin, size, [this](std::uint32_t owner, Bytes gone) {
    profile_.mappings[owner].live_bytes -= gone.count;
  });
}

void HeapProfileBuilder::map(std::uint32_t counter, Address begin, Bytes size) {
  unmap(begin, size);
  mapped_.map(begin, size, counter, [](std::uint32_t, Bytes) {});
  model::MappingProfile& mapping = profile_.mappings[counter];
  const Bytes whole = mapped_.size_at(begin);
  ++mapping.calls;
  mapping.mapped_bytes += whole.count;
  mapping.live_bytes += whole.count;
  mapping.most_live_bytes = std::max(mapping.most_live_bytes, mapping.live_bytes);
}

void HeapProfileBuilder::mapping(const recording::Mapping& mapping) {
  std::uint64_t time_ns = mapping.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  using Operation = recording::Mapping::Operation;
  switch (mapping.operation) {
    case Operation::kMap:
      map(mapping_counter(mapping.stack), mapping.address, mapping.bytes);
      break;
    case Operation::kUnmap:
      unmap(mapping.address, mapping.bytes);
      break;
    case Operation::kRemap: {
      // What grows in place was mapped by who mapped it first.
      const std::uint32_t owner = mapped_.owner_of(mapping.old_address);
      unmap(mapping.old_address, mapping.old_bytes);
      map(owner != 0 ? owner : mapping_counter(mapping.stack), mapping.address, mapping.bytes);
      break;
    }
    case Operation::kDiscard:
      if (const std::uint32_t owner = mapped_.owner_of(mapping.address); owner != 0) {
        profile_.mappings[owner].discarded_bytes += mapping.bytes.count;
      }
      break;
  }
}

void HeapProfileBuilder::marker(const recording::Marker& marker) {
  std::uint64_t time_ns = marker.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  if (profile_.markers.size() == kMostMarkers) {
    ++profile_.losses.dropped_markers;
  } else {
    profile_.markers.push_back(
        {.time_ns = time_ns, .thread = threads_.find(marker.thread), .text = marker.text});
  }
}

void HeapProfileBuilder::leak_scan(const recording::LeakScan& scan) {
  if (scan.time_ns > span_.until_ns) return;
  leak_scan_ = {
      .state = scan.is_done ? model::LeakScan::State::kDone : model::LeakScan::State::kMissing,
      .time_ns = scan.time_ns,
      .scanned_bytes = scan.scanned_bytes,
      .unreadable_bytes = scan.unreadable_bytes};
  lost_blocks_.insert(lost_blocks_.end(), scan.lost.begin(), scan.lost.end());
}

void HeapProfileBuilder::events_end() {
  blocks_.gather(
      [this](Address address, const LiveBlock& block) { lose(address, block, now_ns_); });
}

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
    if (!block || block->stack == kBefore || block->time_ns > leak_scan_.time_ns) continue;
    const Counters counters = counters_of(*block);
    for (Counter* counter : {&totals_, counters[0], counters[1], counters[2]}) {
      counter->unreachable += amount_of(*block);
      if (lost.is_indirect) counter->lost_indirectly += amount_of(*block);
    }
  }
}

model::BlockTotals HeapProfileBuilder::totals_of(const Counter& counter) const {
  model::BlockTotals totals;
  totals.allocated = counter.allocated;
  totals.live = counter.live;
  totals.lost = counter.lost;
  if (leak_scan_.state == model::LeakScan::State::kDone) {
    totals.reachable = counter.live;
    totals.reachable -= counter.unreachable;
    totals.lost_indirectly = counter.lost_indirectly;
  }
  totals.freed = counter.allocated;  // P2
  totals.freed -= counter.live;
  totals.freed -= counter.lost;
  totals.temporary = counter.temporary;
  totals.peak = counter.epoch == epoch_ ? counter.saved : counter.live;
  totals.resized = counter.resized;
  totals.lifetime_ns = counter.lifetime_ns;
  totals.allocated_variance = counter.allocated_variance;
  return totals;
}

void HeapProfileBuilder::finish_stacks(model::HeapProfile& profile) {
  profile.stacks.reserve(stacks_.size() - 1);
  for (std::size_t i = 1; i < stacks_.size(); ++i) {
    StackCounter& stack = stacks_[i];
    hold(stack, profile.duration_ns);
    profile.stacks.push_back({.node = stack.node,
                              .totals = totals_of(stack),
                              .held_byte_ns = stack.held_byte_ns,
                              .first_ns = stack.first_ns,
                              .last_ns = stack.last_ns});
  }
}

void HeapProfileBuilder::finish_threads(model::HeapProfile& profile) {
  for (std::size_t i = 0; i < thread_counters_.size(); ++i) {
    profile.threads[i].totals = totals_of(thread_counters_[i]);
    profile.threads[i].frees_by_others = thread_counters_[i].frees_by_others;
    profile.threads[i].first_ns = thread_counters_[i].first_ns;
    profile.threads[i].last_ns = thread_counters_[i].last_ns;
  }
}

void HeapProfileBuilder::finish_sizes(model::HeapProfile& profile) const {
  for (unsigned bits = 0; bits < sizes_.size(); ++bits) {
    if (sizes_[bits].allocated.blocks != 0) {
      profile.sizes.push_back({.least_bytes = least_with_bits(bits),
                               .most_bytes = most_with_bits(bits),
                               .totals = totals_of(sizes_[bits])});
    }
    if (lifetimes_[bits].blocks != 0) {
      profile.lifetimes.push_back({.least_ns = least_with_bits(bits),
                                   .most_ns = most_with_bits(bits),
                                   .freed = lifetimes_[bits]});
    }
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

model::HeapProfile HeapProfileBuilder::finish(const recording::Summary& summary) {
  model::HeapProfile profile = std::move(profile_);
  profile.span = span_;
  profile.duration_ns = now_ns_;
  if (summary.ending) {
    profile.duration_ns = std::max(now_ns_, std::min(summary.ending->time_ns, span_.until_ns));
  }
  finish_facts(profile, summary);
  inherited_.finish(profile.inheritance);
  profile.usable = usable_.finish(epoch_);
  profile.first_touch = touch_.finish();
  finish_leak_scan(profile);
  profile.totals = totals_of(totals_);
  profile.totals.peak = peak_;
  finish_stacks(profile);
  finish_threads(profile);
  finish_sizes(profile);
  profile.mappings.erase(profile.mappings.begin());  // 0, who mapped nothing
  profile.timeline = timeline_.finish(profile.duration_ns);
  return profile;
}

}  // namespace mini::sources
