// The memory that the agents of a recording share with the recorder: one file without a name, made
// by the recorder, of a head and a slot for each process.
//
//   file:  [ Channel | slot 1 | slot 2 | … ]         sparse: what nobody writes has no memory
//   slot:  [ Slot | RingHead × kRings | ring bytes × kRings ]
//
// A process maps its own slot. Nobody takes a lock: an agent claims a slot, and a thread a ring, by
// one atomic step; afterwards each has one writer. Each side treats what the other wrote as if an
// adversary had: a target may scribble over its slot, and the recorder must survive it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "wire/door.h"
#include "wire/program_notice.h"
#include "wire/slot_claim.h"

namespace mini::wire {

inline constexpr std::uint64_t kMagic = 0x39'79'70'73'70'61'65'68U;  // "heapspy9"

/// Where an agent finds the channel: the path of the file, as text, in this variable.
inline constexpr char kChannelVariable[] = "HEAPSPY_CHANNEL";

inline constexpr std::uint32_t kRings = 1024;                         // of a slot: threads at once
inline constexpr std::uint32_t kRingWords = std::uint32_t{16} << 10;  // 128 KiB, a power of two

enum class Overflow : std::uint32_t { kWait, kDrop };

/// What the agents are to do. Written by the recorder before any agent starts.
struct Settings {
  std::uint32_t most_frames = 0;  // of a stack
  std::uint32_t free_stacks = 0;  // 1: frees have stacks too
  Overflow overflow = Overflow::kWait;
  std::uint32_t scan_at_end = 0;   // 1: a process waits at its end until it was searched for leaks
  std::uint64_t sample_bytes = 0;  // 0: every allocation
  std::uint32_t leads_programs = 0;  // 1: what a process becomes or starts gets the agent too
};

inline constexpr std::uint32_t kDied = 0x40000000;  // FUTEX_OWNER_DIED of linux/futex.h

/// The head of the file.
struct Channel {
  std::uint64_t magic;
  Settings settings;
  std::atomic<std::uint32_t> is_closed;     // 1: nobody reads any more; agents go quiet
  std::atomic<std::uint32_t> has_children;  // 1: a process has made another, or is about to
  // Rung by an agent that has something urgent; the recorder sleeps on it.
  std::atomic<std::uint32_t> doorbell;
  std::atomic<std::uint32_t> is_asleep;
  // The recorder's thread; kDied when that has died, which the kernel sees to by the link.
  std::atomic<std::uint32_t> recorder;
  std::uint64_t recorder_link;
  // Counts the recorder's looks at the rings: a thread reads the clock anew after each.
  alignas(64) std::atomic<std::uint32_t> beat;
  alignas(64) std::uint32_t user;  // the recorder's, to whom the file is open by its path
  std::uint32_t group;
  Door doors[kDoors];
  alignas(64) SlotClaims claims;  // of a few processes' the rest has no memory
  alignas(64) NoticeBoard board;
};

/// Whether anybody reads what agents tell.
inline bool has_reader(const Channel& channel) {
  const std::uint32_t thread = channel.recorder.load(std::memory_order_acquire);
  return thread != 0 && thread != kDied && channel.is_closed.load(std::memory_order_acquire) == 0;
}

inline constexpr std::size_t kMostExecutableBytes = 1024;
inline constexpr std::size_t kMostCommandBytes = 2048;

/// How a process comes to its end, or becomes another program: its memory has to be there until the
/// recorder has looked at it. The process sets what it waits for, on this word; the recorder what
/// is then.
enum class EndState : std::uint32_t {
  kRunning,
  kWaitsForSample,  // kRunning afterwards: what it is about to do may fail
  kWaitsForSearch,  // for leaks, and for a sample too
  kSearched,        // for the one time
};

/// The head of a process's slot, filled in before its claim says kReady. What a process is it says
/// itself, since a short one is gone before the recorder has looked; a copy says whose it is.
struct alignas(64) Slot {
  std::uint64_t ticket;  // of its claim
  std::uint32_t pid;
  std::uint32_t parent_pid;  // 0: it is a copy, of `origin`
  std::atomic<std::uint32_t> rings_taken;
  std::atomic<std::uint32_t>
      rings_wanted;             // 1: a thread found none; 0 once it is worth a try again
  std::uint64_t pid_namespace;  // the inode of the one in which the two count; 0: not known
  alignas(64) std::atomic<std::uint64_t> lost_events;  // that came into no ring
  std::atomic<EndState> end;
  std::uint32_t is_forked;       // 1: it began with blocks that it did not tell of
  std::uint32_t has_own_malloc;  // 1: the program's file has one, whose blocks are not told of
  // Where they were told of: the claim of the process that it is a copy of, by its serial, and
  // which of that one's forks it was. 0: it does not know.
  std::uint32_t origin;
  std::uint32_t origin_fork;
  std::atomic<std::uint32_t> silent_threads;  // that came to where nothing can be recorded
  // Of the process, when the recorder looked last, which writes it; 0 before it did.
  std::atomic<std::uint64_t> resident_bytes;
  alignas(64) std::uint32_t executable_bytes;
  std::uint32_t command_bytes;
  char executable[kMostExecutableBytes];  // the program's path
  char command[kMostCommandBytes];        // its arguments, each ended by a zero; perhaps cut
};

enum class RingState : std::uint32_t {
  kFree,
  kOwned,
  // Its thread is done with it, or has ended without a word, as the recorder finds out where rings
  // are wanted. kFree once the recorder has read the rest.
  kClosed,
};

/// A ring of words with one writer, the thread, and one reader, the recorder.
///
///  R1  tail <= head <= tail + kRingWords: words [tail, head) are there to be read, modulo the size
///
/// The writer stores words, then head (release); the reader loads head (acquire), reads, then
/// stores tail (release), which the writer loads (acquire) before it writes over them.
struct alignas(64) RingHead {
  std::atomic<RingState> state;
  std::atomic<std::uint32_t> tid;  // 0: it has no owner, or one that has not said so yet
  std::atomic<std::uint64_t> dropped_events;
  std::atomic<std::uint64_t> truncated_stacks;  // frames were missing outside
  alignas(64) std::atomic<std::uint64_t> head;
  alignas(64) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint32_t> is_full;  // 1: the writer sleeps on it until there is room
};

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kRingHeadsOffset = kPage;
inline constexpr std::size_t kRingsOffset = kRingHeadsOffset + kRings * sizeof(RingHead);
inline constexpr std::size_t kSlotBytes =
    kRingsOffset + std::size_t{kRings} * kRingWords * sizeof(std::uint64_t);
inline constexpr std::size_t kChannelBytes = 13 * kPage;  // of the head
inline constexpr std::size_t kFileBytes = kChannelBytes + kSlots * kSlotBytes;

static_assert(sizeof(Channel) <= kChannelBytes && sizeof(Slot) <= kRingHeadsOffset);
static_assert(sizeof(RingHead) == 192);
static_assert(kRingsOffset % kPage == 0 && kSlotBytes % kPage == 0);
static_assert((kRingWords & (kRingWords - 1)) == 0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::size_t slot_offset(std::uint32_t slot) {
  return kChannelBytes + slot * kSlotBytes;
}

/// The parts of a slot by the address where it is mapped.
struct SlotView {
  std::byte* begin = nullptr;

  Slot& slot() const { return *reinterpret_cast<Slot*>(begin); }
  /// REQUIRES: ring < kRings.
  RingHead& ring(std::uint32_t ring) const {
    return reinterpret_cast<RingHead*>(begin + kRingHeadsOffset)[ring];
  }
  std::uint64_t* words(std::uint32_t ring) const {
    return reinterpret_cast<std::uint64_t*>(begin + kRingsOffset) + std::size_t{ring} * kRingWords;
  }
};

}  // namespace mini::wire
