// Folds the events of a recording into a heap profile, one at a time. Memory is in proportion to
// the most blocks that are live at once and to the stacks, never to the events.
//
// What each stack had live at the moment of the global peak, in one pass: nobody knows that a
// maximum was the peak before the end, and copying all stacks at each new maximum would cost too
// much. So each new maximum only begins a new epoch, and a counter is saved when it first changes
// afterwards:
//
//   K1  counter.epoch == epoch_: counter.saved is what was live at the maximum so far
//   K2  counter.epoch != epoch_: the counter has not changed since, so that is counter.live
//
// An allocation that makes a new maximum changes its counter without saving: it is part of the new
// maximum. That is a few instructions an event. A test holds it against copies of everything.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/heap_profile.h"
#include "recording/reader.h"
#include "sources/first_touch_counter.h"
#include "sources/heap_profile_timeline.h"
#include "sources/inherited_blocks.h"
#include "sources/mapped_ranges.h"
#include "sources/number_index.h"
#include "sources/placed_blocks.h"
#include "sources/usable_size_counter.h"

namespace mini::sources {

class HeapProfileBuilder : public recording::Visitor {
 public:
  explicit HeapProfileBuilder(model::TimeSpan span = {}, std::size_t most_buckets = 512);

  void module(recording::ModuleNumber number, const recording::ModuleFacts& facts) override;
  void thread(recording::ThreadNumber number, const recording::ThreadFacts& facts) override;
  void frame(recording::FrameNumber number, const recording::FrameFacts& facts) override;
  void source(recording::FrameNumber number,
              const std::vector<recording::SourceFrame>& lines) override;
  void stack(recording::StackNumber number, const recording::StackFacts& facts) override;
  void allocation(const recording::Allocation& allocation) override;
  void free(const recording::Free& free) override;
  void sample(const recording::KernelSample& sample) override;
  void mapping(const recording::Mapping& mapping) override;
  void marker(const recording::Marker& marker) override;
  void leak_scan(const recording::LeakScan& scan) override;
  void events_end() override;
  void usable_size(const recording::UsableSize& usable) override;
  void touch(const recording::Touch& touch) override;
  void touch_watch(const recording::TouchWatch& watch) override;

  /// The profile of all that was seen. Nothing may follow.
  model::HeapProfile finish(const recording::Summary& summary);

  /// Takes over the blocks that are live in the profile of the process that this one is a copy of.
  /// REQUIRES: before the first event; `parent` has no span.
  void inherit(const HeapProfileBuilder& parent);
  /// Where from. `state` says whether inherit() was called.
  void set_inheritance(model::Inheritance inheritance) {
    profile_.inheritance = std::move(inheritance);
  }

  /// The file of a parent's that cannot be read; "" where there is none such.
  std::string missing_recording() const {
    const bool is_missing = profile_.inheritance.state == model::Inheritance::State::kMissing;
    return is_missing ? profile_.inheritance.recording : "";
  }

  const LiveBlocks& live_blocks() const { return blocks_.table(); }

 private:
  /// Of a stack, a thread or a range of sizes. In the order of use: a line of the cache, and less.
  struct alignas(64) Counter {
    model::Amount live;
    model::Amount allocated;
    model::Amount saved;
    std::uint64_t epoch = 0;
    double lifetime_ns = 0;
    model::Amount temporary;
    model::Amount lost;
    std::uint64_t resized = 0;
    double allocated_variance = 0;
    model::Amount unreachable;  // filled in at the end, as the next one
    model::Amount lost_indirectly;
  };
  struct StackCounter : Counter {
    std::uint64_t changed_ns = 0;
    double held_byte_ns = 0;
    std::uint64_t last_ns = 0;
    std::uint64_t first_ns = 0;
    double carry = 0;  // the part of a block that is not yet counted, where the recording samples
    std::uint32_t node = 0;
  };
  struct ThreadCounter : Counter {
    std::uint64_t frees_by_others = 0;
    Address last_address;  // of the last allocation
    std::uint64_t last_ns = 0;
    std::uint64_t first_ns = 0;
  };
  /// The three counters that a block counts in.
  using Counters = std::array<Counter*, 3>;

  bool enter(std::uint64_t& time_ns);
  std::uint32_t stack_counter(recording::StackNumber number);
  std::uint32_t mapping_counter(recording::StackNumber number);
  void map(std::uint32_t counter, Address begin, Bytes size);
  void unmap(Address begin, Bytes size);
  static model::Amount stands_for(const recording::Allocation& allocation, StackCounter& stack);
  Counters counters_of(const LiveBlock& block);
  void keep(Counter& counter) const;
  void hold(StackCounter& stack, std::uint64_t time_ns) const;
  void add_live(const Counters& counters, model::Amount amount, std::uint64_t time_ns);
  void remove_live(const LiveBlock& block, const Counters& counters, std::uint64_t time_ns);
  void add_variance(const recording::Allocation& allocation, const Counters& counters);
  void lose(Address address, const LiveBlock& block, std::uint64_t time_ns);
  void forget(Address address, const LiveBlock& block);
  void note_sample_at_peak(std::uint64_t time_ns, Bytes resident);
  model::BlockTotals totals_of(const Counter& counter) const;
  void finish_leak_scan(model::HeapProfile& profile);
  void finish_stacks(model::HeapProfile& profile);
  void finish_threads(model::HeapProfile& profile);
  void finish_sizes(model::HeapProfile& profile) const;
  void finish_facts(model::HeapProfile& profile, const recording::Summary& summary) const;

  model::TimeSpan span_;
  model::HeapProfile profile_;
  NumberIndex modules_;
  NumberIndex threads_;
  NumberIndex frames_;
  NumberIndex nodes_;

  PlacedBlocks blocks_;
  InheritedBlocks inherited_;
  UsableSizeCounter usable_;
  FirstTouchCounter touch_;
  std::vector<std::uint32_t> counter_of_node_;  // position in stacks_; 0: none so far
  std::vector<StackCounter> stacks_;            // 0: not used
  std::vector<ThreadCounter> thread_counters_;  // as profile_.threads
  std::array<Counter, 65> sizes_;               // by the number of bits of the size
  std::array<model::Amount, 65> lifetimes_;     // by the number of bits of the time
  TimelineBuilder timeline_;
  MappedRanges mapped_;                         // owners are positions in profile_.mappings
  std::vector<std::uint32_t> mapping_of_node_;  // the same; 0: none so far
  model::LeakScan leak_scan_;
  std::vector<recording::LostBlock> lost_blocks_;

  Counter totals_;
  model::Amount peak_;
  std::uint64_t epoch_ = 1;
  std::uint64_t sampled_peak_ns_ = 0;  // the peak that at_peak of the kernel's figures is next to
  std::uint64_t now_ns_ = 0;
};

}  // namespace mini::sources
