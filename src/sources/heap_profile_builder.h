// Folds the events of a recording into a heap profile, one at a time. Memory is in proportion to
// the most blocks that are live at once and to the stacks, never to the events.
//
// What each stack had live at the moment of the global peak, in one pass: nobody knows that a
// maximum was the peak before the end, and copying all stacks at each new maximum would cost too
// much. So each new maximum only begins a new epoch, and a counter is saved when it first changes
// afterwards:
//
//   K1  counter.epoch == epoch_: counter.saved is what was live at the maximum so far
//   K2  counter.epoch != epoch_: the counter has not changed since, so that is counter.live()
//
// An allocation that makes a new maximum changes its counter without saving: it is part of the new
// maximum. That is a few instructions an event. A test holds it against copies of everything.
//
// A block counts in two counters: that of its stack, and that of its thread and range of sizes,
// from which the sums over threads, over sizes and over all are made at the end.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/heap_profile.h"
#include "recording/mapped_ranges.h"
#include "recording/reader.h"
#include "sources/arena_finder.h"
#include "sources/first_touch_counter.h"
#include "sources/heap_counter.h"
#include "sources/heap_profile_timeline.h"
#include "sources/inherited_blocks.h"
#include "sources/live_pages.h"
#include "sources/number_index.h"
#include "sources/placed_blocks.h"
#include "sources/usable_size_counter.h"

namespace mini::sources {

class HeapProfileBuilder : public recording::Visitor {
 public:
  explicit HeapProfileBuilder(model::TimeSpan span = {}, std::size_t most_buckets = 512,
                              model::StackDivision division = model::StackDivision::kNone);

  void module(recording::ModuleNumber number, const recording::ModuleFacts& facts) override;
  void thread(recording::ThreadNumber number, const recording::ThreadFacts& facts) override;
  void frame(recording::FrameNumber number, const recording::FrameFacts& facts) override;
  void source(recording::FrameNumber number,
              const std::vector<recording::SourceFrame>& lines) override;
  void stack(recording::StackNumber number, const recording::StackFacts& facts) override;
  void heap_events(std::span<const recording::HeapEvent> events,
                   std::span<const Address> new_places) override;
  void sample(const recording::KernelSample& sample) override;
  void mapping(const recording::Mapping& mapping) override;
  void marker(const recording::Marker& marker) override;
  void leak_scan(const recording::LeakScan& scan) override;
  void events_end() override;
  void usable_size(const recording::UsableSize& usable) override;
  void touch(const recording::Touch& touch) override;
  void touch_watch(const recording::TouchWatch& watch) override;

  /// Looks into files for what the recording does not name. REQUIRES: after all of it.
  void name_frames();
  /// The profile of all that was seen. Nothing may follow.
  model::HeapProfile finish(const recording::Summary& summary);

  void unrecorded_program(const recording::UnrecordedProgram& program) override;

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
  // The stacks of blocks that count nowhere: of one that was there before the time that is reported
  // on, and of a pool's memory.
  static constexpr std::uint32_t kBefore = UINT32_MAX;
  static constexpr std::uint32_t kPoolMemory = UINT32_MAX - 1;
  static bool counts(const LiveBlock& block) { return block.stack < kPoolMemory; }
  using Unmapped = recording::LastUnmapped<std::uint32_t>::Unmapped;
  static constexpr Address kNoAddress{UINT64_MAX};
  static constexpr std::size_t kSizeRanges = 49;  // by the number of bits of the size

  /// The last allocation, while nothing has been allocated or freed after it: what it changed can
  /// be taken back.
  struct LastAllocation {
    Address address = kNoAddress;
    bool is_maximum = false;
    model::Amount peak_before;  // of a maximum, as the next one
    std::uint64_t peak_before_ns = 0;
    double variance = 0;
  };
  /// What a block had in usable_, if it is large, and in touch_; 0: it was not there.
  struct Forgotten {
    std::uint64_t large_usable_bytes = 0;
    std::uint64_t touched_bytes = 0;
  };
  /// What a thread freed last.
  struct LastFree {
    Address address = kNoAddress;
    LiveBlock block;
    std::uint64_t time_ns = 0;
    Forgotten forgotten;
    struct {
      bool live = false;
      bool inherited = false;
      bool counted = false;  // the free, in the time that is reported on
      bool temporary = false;
      bool made_room = false;
      bool outgrown = false;   // then: the newest block is larger
      bool elsewhere = false;  // too: then `forgotten` says what
    } was;
  };
  /// A thread's allocation, until the next thing that it does.
  struct Newest {
    std::uint32_t stack = 0;  // its counter; 0: the thread did something else
    std::uint64_t bytes = 0;
  };
  struct Thread {
    std::array<std::uint32_t, kSizeRanges> cells{};  // 0: none so far
    Address last_address;                            // of the last allocation
    Newest newest;
    LastFree last_free;
    std::uint64_t frees_by_others = 0;
    std::uint64_t last_ns = 0;
    std::uint64_t first_ns = 0;
  };
  /// Where a time lies.
  enum class Part : std::uint8_t { kBefore, kWithin, kAfter };

  bool enter(std::uint64_t& time_ns);
  void pass_to(std::uint64_t time_ns);
  void switch_to(recording::ThreadNumber number);
  HeapLevels heap_levels() const {
    return {.live_bytes = live_.bytes, .allocations = profile_.allocation_events};
  }
  void allocated(const recording::HeapEvent& event);
  bool begin(LiveBlock& block, Address address, model::Amount amount, std::uint32_t stack_number,
             std::uint32_t cell_number);
  void sampled(const recording::HeapEvent& event, LiveBlock& block, std::uint32_t stack_number,
               std::uint32_t cell_number);
  void count_resized(std::uint64_t blocks, HeapCounter& stack, HeapCounter& cell);
  void count_usable(const recording::HeapEvent& event, LiveBlock& block, HeapCounter& stack,
                    bool is_new_maximum);
  void freed(const recording::HeapEvent& event);
  void uncounted_freed(const recording::HeapEvent& event, LiveBlock& block);
  void happened_before(const recording::HeapEvent& event);
  bool change(const recording::HeapEvent& event);
  bool restored(const recording::HeapEvent& event);
  void count_again(const LastFree& last);
  void make_room(LastFree& last, std::uint64_t newest_bytes);
  void take_back_room(LastFree& last);
  void become_pool_memory(const recording::HeapEvent& event);
  void uncount(Address address, const LiveBlock& block);
  void take_back_peak();
  void count_variance(const recording::HeapEvent& event, HeapCounter& stack, HeapCounter& cell);
  std::uint64_t remove_live(const LiveBlock& block, HeapCounter& stack, HeapCounter& cell);
  std::uint32_t stack_counter(recording::StackNumber number, std::size_t size_range);
  std::uint32_t rare_stack_counter(std::uint32_t node, std::size_t size_range);
  std::uint32_t new_stack_counter(std::uint32_t node);
  std::uint32_t part_counter(std::uint32_t node, std::size_t size_range);
  std::uint32_t new_cell(std::size_t size_range);
  std::uint32_t mapping_counter(recording::StackNumber number);
  void map(std::uint32_t counter, Address begin, Bytes size);
  void unmap(Address begin, Bytes size);
  void remap(const recording::Mapping& mapping, const Unmapped* unmapped);
  model::Amount stands_for(const recording::HeapEvent& event, HeapCounter& stack);
  void keep(HeapCounter& counter) const;
  void lose(Address address, const LiveBlock& block);
  bool rises_to_peak();
  bool add_live(model::Amount amount, HeapCounter& stack, HeapCounter& cell);
  bool forget(Address address, const LiveBlock& block, Forgotten& forgotten);
  void note_sample_at_peak(std::uint64_t time_ns, Bytes resident);
  model::BlockTotals totals_of(const HeapCounters& counters, const HeapCounter& counter) const;
  void finish_leak_scan(model::HeapProfile& profile);
  void finish_stacks(model::HeapProfile& profile);
  LivePages live_pages() const;
  void finish_cells(model::HeapProfile& profile) const;
  static void finish_parts(model::HeapProfile& profile);
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
  ArenaFinder arenas_;
  std::vector<std::uint32_t> counter_of_node_;  // position in stacks_; 0: none so far, or several
  std::uint32_t counter_of_unknown_ = 0;        // of node 0, which has none there
  std::unordered_map<std::uint64_t, std::uint32_t> counter_of_part_;  // the same, by node and part
  HeapCounters stacks_;
  HeapCounters cells_;
  std::vector<Thread> thread_states_;          // as profile_.threads
  std::array<model::Amount, 65> lifetimes_{};  // by the number of bits of the time
  TimelineBuilder timeline_;
  recording::MappedRanges<std::uint32_t> mapped_;  // owners are positions in profile_.mappings
  recording::LastUnmapped<std::uint32_t> last_unmapped_;
  std::vector<std::uint32_t> mapping_of_node_;  // the same; 0: none so far
  model::LeakScan leak_scan_;
  std::vector<recording::LostBlock> lost_blocks_;

  model::Amount live_;
  model::Amount peak_;
  std::uint64_t epoch_ = 1;
  std::uint64_t sampled_peak_ns_ = 0;  // the peak that at_peak of the kernel's figures is next to
  LastAllocation last_allocation_;

  std::uint64_t event_ns_ = 0;                // the time of the last event as the recording has it
  std::uint64_t now_ns_ = 0;                  // the same as a time that does not go back
  Part part_ = Part::kWithin;                 // of it
  recording::ThreadNumber event_thread_ = 0;  // that the recording named last, and its position
  std::uint32_t thread_ = 0;
  Thread* thread_state_ = nullptr;  // of thread_
};

/// K1, before a counter changes that is not part of a new maximum.
inline void HeapProfileBuilder::keep(HeapCounter& counter) const {
  if (counter.epoch == epoch_) [[likely]]
    return;
  counter.saved = counter.live();
  counter.epoch = epoch_;
}

/// Whether what is live is a new maximum: then it is the peak. Blocks of no bytes are one too,
/// while there are no others.
inline bool HeapProfileBuilder::rises_to_peak() {
  if (live_.bytes <= peak_.bytes && (peak_.bytes != 0 || live_.blocks <= peak_.blocks)) {
    return false;
  }
  ++epoch_;
  last_allocation_.peak_before = std::exchange(peak_, live_);
  last_allocation_.peak_before_ns = std::exchange(profile_.peak_time_ns, now_ns_);
  return true;
}

/// A block is live, or is again. Returns whether that is a new maximum: the timeline's bucket has
/// had no more than peak_, so that what is less than the bucket's most is none.
inline bool HeapProfileBuilder::add_live(model::Amount amount, HeapCounter& stack,
                                         HeapCounter& cell) {
  live_ += amount;
  const bool is_new_maximum = timeline_.rose(live_.bytes) && rises_to_peak();
  if (!is_new_maximum) {
    keep(stack);
    keep(cell);
  }
  return is_new_maximum;
}

}  // namespace mini::sources
