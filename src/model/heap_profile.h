// What a recording's events add up to, as plain data: blocks by the stack that asked for them, by
// thread, by size and over time.
//
// Element 0 of `modules`, `frames`, `nodes` and `threads` stands for what is not known, so that a
// number which refers to one is always valid.
//
// INVARIANTS, of a profile as it was built (a filter of stacks gives up those over stacks):
//   P1  totals == the sum over stacks == the sum over threads == the sum over sizes, for each of
//       allocated, freed, lost, temporary, resized, live and peak; suppressed over stacks alone
//   P5  reachable and lost_indirectly: as P1, but for the suppressed stacks, which have none
//   P2  allocated == freed + lost + live, in blocks and in bytes, of every BlockTotals
//   P3  the sum over lifetimes == totals.freed
//   P4  a node's caller has a smaller number than the node
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/preload_obstacle.h"
#include "base/units.h"

namespace mini::model {

struct ProfileModule {
  std::string path;
  std::string build_id;
};

/// What a frame means in the source; see ProfileFrame.
struct SourceLine {
  std::string function;   // demangled; "" where unknown
  std::string file = {};  // "" where unknown
  std::uint32_t line = 0;
  bool inlined = false;
};

struct ProfileFrame {
  std::uint32_t module = 0;
  std::uint64_t address = 0;      // in the file's own numbering; in memory where there is no file
  std::vector<SourceLine> lines;  // one for each inlined function, innermost first; may be empty
  bool has_source = false;        // `lines` are all that can be known
};

/// A call stack: its innermost frame, and the stack of the caller. 0 is the empty stack.
struct StackNode {
  std::uint32_t caller = 0;
  std::uint32_t frame = 0;
};

struct Amount {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;

  friend constexpr bool operator==(Amount, Amount) = default;
  constexpr Amount& operator+=(Amount b) { return blocks += b.blocks, bytes += b.bytes, *this; }
  constexpr Amount& operator-=(Amount b) { return blocks -= b.blocks, bytes -= b.bytes, *this; }
};

/// What became of some of the blocks, as requested sizes. Of a recording that samples these are
/// estimates: each block that was recorded stands for several.
struct BlockTotals {
  Amount allocated = {};
  Amount freed = {};
  Amount lost = {};  // allocated again at the same address: the free in between was not recorded
  Amount temporary = {};        // of `freed`: freed by their thread before it allocated again
  Amount live = {};             // at the end of the profile: not freed
  Amount suppressed = {};       // of `live`: of stacks that a leak suppression matches
  Amount reachable = {};        // of the rest of `live`: the scan for leaks found a way to it
  Amount lost_indirectly = {};  // the same: only blocks point to it that are lost themselves
  Amount peak = {};             // live when the whole program had the most live bytes
  std::uint64_t resized = 0;    // of `allocated`, blocks: by realloc of another
  double lifetime_ns = 0;       // of `freed`, the sum over blocks
  // Of `allocated`, in bytes squared: 0 where nothing is estimated. Points of a Poisson process
  // fall into blocks independently, so it is the sum of weight^2 * (1 - probability) over those
  // recorded.
  double allocated_variance = 0;

  BlockTotals& operator+=(const BlockTotals& other) {
    allocated += other.allocated;
    freed += other.freed;
    lost += other.lost;
    temporary += other.temporary;
    live += other.live;
    suppressed += other.suppressed;
    reachable += other.reachable;
    lost_indirectly += other.lost_indirectly;
    peak += other.peak;
    resized += other.resized;
    lifetime_ns += other.lifetime_ns;
    allocated_variance += other.allocated_variance;
    return *this;
  }
  /// Never freed, and nobody said that this is all right.
  constexpr Amount leaked() const {
    Amount leaked = live;
    return leaked -= suppressed;
  }
  /// The same without what is still reachable. Where there was no scan, nothing is known to be.
  constexpr Amount unreachable() const {
    Amount unreachable = leaked();
    return unreachable -= reachable;
  }
};

/// By what the stacks of a profile are divided: then a stack has an entry for each of its parts.
enum class StackDivision : std::uint8_t { kNone, kThread, kSize };

struct StackProfile {
  std::uint32_t node = 0;
  std::uint32_t part = 0;  // of a division: position in `threads` or `sizes`
  BlockTotals totals;
  double held_byte_ns = 0;     // live bytes, integrated over time
  std::uint64_t first_ns = 0;  // of its allocations
  std::uint64_t last_ns = 0;
  // Of freed blocks, those that their thread freed right after it had allocated another one for the
  // same stack, as a vector does that grows. None where the recording samples.
  Amount outgrown = {};  // for a larger one
  Amount replaced = {};  // for one that is no larger
  // In which its live blocks lie, at the end: see HeapProfile.
  std::uint64_t live_pages = 0;

  /// Another stack's blocks as well; the node and the part stay.
  StackProfile& operator+=(const StackProfile& other) {
    totals += other.totals;
    held_byte_ns += other.held_byte_ns;
    first_ns = std::min(first_ns, other.first_ns);
    last_ns = std::max(last_ns, other.last_ns);
    outgrown += other.outgrown;
    replaced += other.replaced;
    live_pages += other.live_pages;
    return *this;
  }
};

/// Arenas of glibc's malloc other than its first, told by where blocks lie: each begins a region of
/// 64 MiB, with a header that no block is in.
struct ThreadArenas {
  std::uint64_t count = 0;
  Bytes extent;  // from their begins to the ends of the last blocks that were ever there
};

/// Pages that a stack asked the kernel for by mmap or the break, not those that malloc got for it.
struct MappingProfile {
  std::uint32_t node = 0;
  std::uint64_t calls = 0;  // that mapped
  std::uint64_t mapped_bytes = 0;
  std::uint64_t discarded_bytes = 0;  // given back by madvise, over and over counted
  std::uint64_t live_bytes = 0;       // still mapped at the end
  std::uint64_t most_live_bytes = 0;
};

/// By the thread that allocated.
struct ThreadProfile {
  std::uint64_t tid = 0;
  std::string name;
  BlockTotals totals;
  std::uint64_t frees_by_others = 0;  // blocks of this thread that another one freed
  std::uint64_t first_ns = 0;         // of its allocations
  std::uint64_t last_ns = 0;
};

/// By requested size: from `least_bytes` to `most_bytes`.
struct SizeProfile {
  std::uint64_t least_bytes = 0;
  std::uint64_t most_bytes = 0;
  BlockTotals totals;
};

/// Freed blocks that lived from `least_ns` to `most_ns`.
struct LifetimeProfile {
  std::uint64_t least_ns = 0;
  std::uint64_t most_ns = 0;
  Amount freed;
};

struct TimelineBucket {
  std::uint64_t most_live_bytes = 0;
  std::uint64_t last_live_bytes = 0;  // when the bucket ends
  std::uint64_t resident_bytes = 0;   // the most that the kernel said; 0 where it was not asked
  std::uint64_t break_bytes = 0;      // the same of the [heap] region
  std::uint64_t mapped_bytes = 0;     // the same of all mappings
  std::uint64_t allocations = 0;      // events
};

struct Timeline {
  std::uint64_t bucket_ns = 0;  // the width of each; the first begins at 0
  std::vector<TimelineBucket> buckets;
};

struct ProfileMarker {
  std::uint64_t time_ns = 0;
  std::uint32_t thread = 0;
  std::string text;
};

/// The kernel's figures. Empty where it was never asked.
struct KernelFigures {
  std::uint64_t samples = 0;
  Bytes peak_resident;  // VmHWM: the kernel saw it, perhaps between two samples
  Bytes most_resident;  // of any sample
  std::uint64_t most_time_ns = 0;
  Bytes agent_resident;  // in that sample, about: its rings and indexes of stacks
  Bytes last_resident;
  std::uint64_t last_time_ns = 0;
  Bytes most_proportional;  // PSS, of the samples that have it; 0: none had
  Bytes most_break;         // the size of the [heap] region
  Bytes last_break;
  // Of the sample that is next to the peak of live bytes, before or after it.
  Bytes resident_at_peak;
  std::uint64_t at_peak_time_ns = 0;
};

/// Blocks by what the allocator gave for what was asked for: those of one usable size, or, of large
/// ones, from `least_usable_bytes` to `most_usable_bytes`.
struct UsableProfile {
  std::uint64_t least_usable_bytes = 0;
  std::uint64_t most_usable_bytes = 0;
  Amount allocated = {};  // as requested
  std::uint64_t allocated_usable_bytes = 0;
  Amount peak = {};  // as requested, at the peak of all
  std::uint64_t peak_usable_bytes = 0;

  std::uint64_t peak_overhead_bytes() const { return peak_usable_bytes - peak.bytes; }
};

/// What the allocator gave a stack for what it had at the peak of all: of its large blocks, and of
/// the others where all have the same requested size.
struct StackUsable {
  std::uint32_t node = 0;
  std::uint64_t block_bytes = 0;  // as requested, of each; 0: there are several sizes
  Amount peak = {};               // as requested
  std::uint64_t peak_usable_bytes = 0;

  std::uint64_t peak_overhead_bytes() const { return peak_usable_bytes - peak.bytes; }
};

/// Usable sizes, of the blocks whose usable size is known.
struct UsableSizes {
  bool is_known = false;  // false: the allocator was not asked
  UsableProfile totals;
  std::vector<UsableProfile> classes;  // without empty ones
  std::vector<StackUsable> stacks;     // of which something is known
};

/// Pages that a program had for the first time, by a stack. `touched` are pages, and their bytes.
struct TouchProfile {
  std::uint32_t node = 0;
  Amount touched = {};
};

/// Page faults in user mode: what became resident, and who did it.
struct FirstTouch {
  enum class State : std::uint8_t { kNotAsked, kRefused, kRecorded };
  State state = State::kNotAsked;
  std::string refusal;
  Amount in_blocks = {};
  Amount in_mappings = {};             // that the program made itself
  Amount elsewhere = {};               // stacks, data, files, and what the allocator has for itself
  std::uint64_t lost = 0;              // the kernel had no room to tell
  std::vector<TouchProfile> owners;    // by the stack that asked for the block or the mapping
  std::vector<TouchProfile> touchers;  // by the code that wrote or read there first
};

/// Blocks of the process that this one began as a copy of, by the stack that had asked for them.
struct InheritedProfile {
  std::uint32_t node = 0;
  Amount at_fork = {};
  Amount freed = {};  // of these, by this process
};

/// What a child of fork began with: beside the totals, which are of its own blocks.
struct Inheritance {
  enum class State : std::uint8_t {
    kNone,
    kMissing,  // the parent's recording cannot be read, or not up to the fork
    kKnown,
  };
  State state = State::kNone;
  std::string recording;   // the parent's: its file's name
  std::uint64_t fork = 0;  // the number of the fork in it
  std::uint64_t parent_pid = 0;
  Amount at_fork;
  Amount freed;
  std::vector<InheritedProfile> stacks;
};

/// A leak suppression that the report was asked to apply, and what it matched.
struct LeakSuppression {
  std::string pattern;
  std::size_t line = 0;  // of the file that it is from
  std::size_t stacks = 0;
  Amount matched;
};

/// Whether the target's memory was searched, at its end, for what still points to live blocks.
struct LeakScan {
  enum class State : std::uint8_t { kNotAsked, kMissing, kDone, kRefused };
  State state = State::kNotAsked;
  std::uint64_t time_ns = 0;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t unreadable_bytes = 0;  // of what should have been scanned
};

/// A module whose functions the recording does not name, as of a recorder that was killed, nor
/// could its file.
struct UnnamedModule {
  enum class Reason : std::uint8_t {
    kNoFile,     // where it was
    kOtherFile,  // is there: with another build ID
    kNoBuildId,  // so that nobody knows whether a file is the same
    kTooMany,    // files or frames
  };
  std::uint32_t module = 0;
  Reason reason = Reason::kNoFile;
  std::uint64_t frames = 0;  // without a name
};

/// What is missing from the figures.
struct ProfileLosses {
  std::uint64_t dropped_events = 0;
  std::uint64_t truncated_stacks = 0;
  std::uint64_t skipped_blocks = 0;  // of the file, damaged
  std::uint64_t skipped_bytes = 0;
  bool is_cut = false;                // the file has no ending
  std::uint64_t frees_not_seen = 0;   // of blocks that were not allocated in the recording
  std::uint64_t unknown_stacks = 0;   // allocations whose stack is none, or not in the file
  std::uint64_t dropped_markers = 0;  // beyond those that are kept
  std::vector<UnnamedModule> unnamed_modules;

  /// Whether what could not be read is in no figure.
  bool is_damaged() const { return skipped_blocks != 0 || skipped_bytes != 0; }
};

struct ProfileProcess {
  std::uint64_t pid = 0;
  std::vector<std::string> command;
  std::string executable;
  std::uint64_t start_unix_ns = 0;
  std::uint64_t sample_bytes = 0;  // 0: every allocation was recorded
};

struct ProfileEnding {
  enum class Kind : std::uint8_t { kUnknown, kExited, kKilled, kExec, kDetached };
  Kind kind = Kind::kUnknown;
  std::uint32_t status = 0;  // exit status or signal number
  // Of kExec, what it became and the file that is recorded in; "" where nobody knows.
  std::string next_executable = {};
  std::string next_recording = {};
};

/// A program that the process, or one that came from it, became or started, of which there is no
/// recording.
struct UnrecordedProgram {
  std::string path;  // "" of those whose names were too many to keep
  PreloadObstacle obstacle = PreloadObstacle::kNone;
  std::uint64_t count = 0;  // how often

  friend bool operator==(const UnrecordedProgram&, const UnrecordedProgram&) = default;
};

/// A part of the time: as though the recording had begun and ended then.
struct TimeSpan {
  std::uint64_t from_ns = 0;
  std::uint64_t until_ns = UINT64_MAX;
  bool is_half_open = false;  // what happened at until_ns is not part of it

  constexpr bool ends_before(std::uint64_t time_ns) const {
    return time_ns > until_ns || (is_half_open && time_ns == until_ns);
  }
  friend constexpr bool operator==(TimeSpan, TimeSpan) = default;
};

struct HeapProfile {
  ProfileProcess process;
  ProfileEnding ending;
  TimeSpan span;
  std::uint64_t duration_ns = 0;  // from the beginning to the last event or the ending
  bool is_estimate = false;       // sampled: amounts are estimates

  std::vector<ProfileModule> modules;
  std::vector<ProfileFrame> frames;
  std::vector<StackNode> nodes;

  BlockTotals totals;
  std::uint64_t allocation_events = 0;
  std::uint64_t free_events = 0;
  std::uint64_t peak_time_ns = 0;
  StackDivision division = StackDivision::kNone;
  std::vector<StackProfile> stacks;      // those that allocated
  std::vector<MappingProfile> mappings;  // those that mapped
  std::vector<ThreadProfile> threads;
  std::vector<SizeProfile> sizes;          // without empty ones
  std::vector<LifetimeProfile> lifetimes;  // without empty ones
  Timeline timeline;
  std::vector<ProfileMarker> markers;
  std::vector<UnrecordedProgram> unrecorded_programs;
  std::vector<LeakSuppression> suppressions;  // in their order; empty where none was asked for
  KernelFigures kernel;
  LeakScan leak_scan;
  Inheritance inheritance;
  UsableSizes usable;
  FirstTouch first_touch;
  ThreadArenas thread_arenas;
  // In which a block is live at the end. 0 where that was not counted: while most blocks of the
  // peak are live, pages are full of them.
  std::uint64_t live_pages = 0;
  ProfileLosses losses;

  /// Whether it samples and has no block: then its sums say nothing, nor how far off they are.
  bool has_empty_sample() const { return is_estimate && totals.allocated.blocks == 0; }

  /// Whether the recording goes on behind what the profile is of.
  bool span_ends_early() const { return span.until_ns <= duration_ns; }
  /// Whether the program does, or may do: what is live in the end may have been freed later.
  bool ends_early() const {
    return span_ends_early() || ending.kind == ProfileEnding::Kind::kDetached || losses.is_cut;
  }
};

}  // namespace mini::model
