// Where the memory of a process is, at one moment: what heapspy inspect finds out.
//
//  N1  the sum of the rows' bytes of `resident_ledger` == `resident`, where that is known
//  N2  the sum of the rows' bytes of `mapped_ledger` == `mapped`
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/heap.h"
#include "model/heap_account.h"
#include "model/lost_blocks.h"
#include "model/mapping.h"
#include "model/resident_map.h"

namespace mini::model {

/// How sure a figure is.
enum class FigureTag : std::uint8_t { kMeasured, kDerived, kEstimated, kUnknown };
std::string_view figure_tag_name(FigureTag tag);

/// What memory is used for.
enum class MemoryKind : std::uint8_t {
  kLiveBlocks,
  kMmappedBlocks,
  kCachedBlocks,  // in threads' caches
  kFreeInBins,
  kFreeTop,
  kAllocatorOverhead,
  kForeignBreak,  // got by moving the break, not by malloc
  kUnknownHeap,   // behind damage
  kHeapRest,      // of the mappings that heaps are in, what no arena has
  kMainStack,
  kThreadStack,
  kProgramFile,  // by file, private copies of its pages included
  kSharedMemory,
  kOtherAnonymous,
  kKernel,
  kAgent,  // of a process that is being recorded: heapspy's own
  kRemainder,
};
inline constexpr std::size_t kMemoryKindCount = 17;
/// "live_blocks": the words of the JSON form.
std::string_view memory_kind_name(MemoryKind kind);

struct MemoryRow {
  MemoryKind kind = MemoryKind::kRemainder;
  std::int64_t bytes = 0;  // the remainder may be negative
  std::string owner;  // "main arena", "/usr/lib/libc.so.6", "thread 71"; "" where there is none
  FigureTag tag = FigureTag::kMeasured;
};

/// A mapping with what of it has memory.
struct MemoryRegion {
  Mapping mapping;
  Bytes resident = {};
  Bytes swapped = {};
  Bytes huge = {};                            // of resident, in huge pages
  std::optional<std::int64_t> stack_of = {};  // the thread whose stack pointer is in it
};

struct InspectedThread {
  std::int64_t id = 0;
  std::optional<Address> stack_pointer = {};
  std::optional<Address> thread_pointer = {};
  std::vector<std::uint64_t> registers = {};  // all words that may be addresses
  std::optional<Address> code = {};           // that it was about to carry out
  bool waits = false;  // in a system call, as far as known: it was changing nothing
};

/// What a core file says of the process's end.
struct CoreEnd {
  int signal = 0;
  std::int64_t thread = 0;                  // that it came to
  std::optional<std::int64_t> sender = {};  // another process that sent it
};

/// How a heap was read, and why so.
enum class HeapReading : std::uint8_t {
  kCopied,         // while the process was stopped; decoded from the copy
  kTooLarge,       // to be copied: decoded as the process ran on
  kForLostBlocks,  // decoded and searched while it was stopped
  kRunning,        // as the process ran
  kCore,
};
/// "copied": the words of the JSON form.
std::string_view heap_reading_name(HeapReading reading);

struct Inspection {
  enum class Source : std::uint8_t { kProcess, kCore };
  Source source = Source::kProcess;
  std::int64_t pid = 0;
  std::string executable;
  std::optional<CoreEnd> end;  // of a core that a signal was the reason for
  std::string runtime;         // "Go runtime", where the executable's file says so; else ""
  std::uint64_t pause_ns = 0;  // for how long the process was stopped; 0: it was not
  std::optional<std::uint64_t> most_pause_ns = {};  // that the user allows
  Bytes heap_in_pause;  // read while the process was stopped, of heap_to_read
  Bytes heap_to_read;   // of arenas; 0 where it was not asked
  HeapReading heap_reading = HeapReading::kCopied;
  Bytes most_copied;                // of a heap; 0 for a core
  std::uint32_t heap_readings = 1;  // the last of which this is
  /// A thread may have been changing what does not fit together in the heap: it need not be damage.
  bool may_be_motion = false;
  /// Places that did not fit together, and did before: not among the damages.
  std::uint64_t places_in_motion = 0;
  Bytes page_size{4096};

  /// Nothing was copied: the process waited for all of it.
  bool is_decoded_in_pause() const { return heap_reading == HeapReading::kForLostBlocks; }
  /// All of it is as it was at one moment.
  bool is_of_one_moment() const {
    return source == Source::kCore || (pause_ns != 0 && heap_in_pause == heap_to_read);
  }

  std::vector<InspectedThread> threads;
  std::vector<MemoryRegion> regions;  // by address
  /// The region with an address; nullptr where there is none. REQUIRES: regions are complete.
  const MemoryRegion* region_of(Address address) const;

  std::optional<Bytes> resident;  // VmRSS; nullopt for a core, which does not say
  Bytes mapped;
  Bytes swapped;
  Bytes page_tables;
  Bytes pool_pages;  // of hugetlbfs, or anonymous (MAP_HUGETLB): no part of `resident`
  std::vector<MemoryRow> resident_ledger;
  std::vector<MemoryRow> mapped_ledger;

  std::optional<Heap> heap;
  std::string no_heap_because;  // where there is none
  HeapAccount account;
  ResidentMap heap_resident;              // of where a heap can be
  std::vector<Address> heap_mappings;     // begins of the regions with pieces of the heap, sorted
  std::vector<AddressRange> heap_ranges;  // where the pieces are; sorted
  std::optional<LostBlocks> lost;         // where they were searched for
  std::vector<std::string> losses;        // what could not be read, in words
};

}  // namespace mini::model
