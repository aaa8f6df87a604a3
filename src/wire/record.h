// What a thread tells the recorder, as words of its ring.
//
//   word 0 of each:  [ value: 56 ][ detail: 4 ][ kind: 4 ]
//   kTime            value: the time, by clock.h, of the records from here on
//   kAllocation      value: address. [ bytes: 40 ][ stack: 24 ]  detail: how it was asked for
//   kLargeAllocation value: address. [ stack ] [ bytes ]         2^40 bytes or more
//   kFree            value: address
//   kFreeWithStack   value: address. [ stack ]
//   kModule          [ load bias ] [ begin ] [ end ] [ path bytes: 32 ][ build id bytes: 32 ]
//                    path, then build id, filled up to words
//   kModuleGone      [ begin ]
//   kMapping         [ address ] [ bytes ] [ old address ] [ old bytes ] [ stack ]
//                    detail: MappingOperation; the old ones are 0 but for kRemap. A kUnmap that
//                    a kRemap of the same range follows is the begin of the same call
//   kMarker          [ bytes ], the text, filled up to words
//   kUsable          [ requested bytes ] [ usable bytes ]    of a block that is told of next
//   kFork            [ number ]      the process is about to be copied, for the number-th time
//   kStack           value: [ kept: 28 ][ frames: 28 ], then so many return addresses, inwards
//                    detail: StackDetail
//
// A stack is told of once by each thread, before it is named, by how it differs from the one that
// the ring told of before: of that one the `kept` outermost frames stay. Those of a ring have
// numbers in the order in which they were told of, from 1 on; 0 is none.
//
// A free is told before the block is given back, an allocation after it was got. Records of one
// ring are in order. Between rings it is times that order them, and reading a clock costs more than
// the rest of a record, so a time stands for all records up to the next one. What must hold is
//
//   T1  if a record says what follows from what a record of another ring says (the address was
//       given out there, the module was told of there), then a time was read between the two: its
//       own is later, and the other's record could be read at that time
//
// PageOwners says which addresses that is about. All others may be off by as long as a time stands:
// some 10 microseconds in a busy thread, and in any other until the recorder's next beat.
#pragma once

#include <cstdint>

#include "wire/channel.h"

namespace mini::wire {

enum class RecordKind : std::uint8_t {
  kNone,
  kAllocation,
  kLargeAllocation,
  kFree,
  kFreeWithStack,
  kModule,
  kModuleGone,
  kMapping,
  kMarker,
  kTime,
  kFork,
  kUsable,
  kStack,
};

/// How a block was asked for: the detail of an allocation. kRestored takes back the free before it:
/// a realloc failed, and the block is as it was.
enum class CallKind : std::uint8_t { kMalloc, kCalloc, kRealloc, kAligned, kNew, kPool, kRestored };

/// What became of pages: the detail of a mapping.
enum class MappingOperation : std::uint8_t { kMap, kUnmap, kRemap, kDiscard };

/// Of a stack.
enum StackDetail : std::uint8_t {
  kForgetsStacks = 1,  // those before it have no numbers any more: it is the first
  kGoesOn = 2,         // it has no number yet: the next record goes on with it
};

struct Mapping {
  MappingOperation operation = MappingOperation::kMap;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::uint64_t old_address = 0;
  std::uint64_t old_bytes = 0;
};

/// Set in the address of a pool's block: it may be that of the block that the pool is in, which
/// kPool without it says of. In a record it is kPoolDetail.
inline constexpr std::uint64_t kPoolAddress = std::uint64_t{1} << 63;
inline constexpr std::uint8_t kPoolDetail = 8;

inline constexpr unsigned kKindBits = 4;
inline constexpr unsigned kValueShift = 8;
inline constexpr unsigned kStackBits = 24;
inline constexpr std::uint32_t kMostStacks = (std::uint32_t{1} << kStackBits) - 1;  // of a ring
inline constexpr std::uint32_t kMostFrames = 16384;                                 // of a stack
inline constexpr std::uint32_t kMostFramesARecord = 256;
inline constexpr unsigned kFramesBits = 28;
inline constexpr std::uint64_t kLargeBytes = std::uint64_t{1} << (64 - kStackBits);
inline constexpr std::uint32_t kMostPathBytes = 4096;
inline constexpr std::uint32_t kMostBuildIdBytes = 64;
inline constexpr std::uint32_t kMostMarkerBytes = 255;

inline constexpr std::uint32_t kModuleHeadWords = 5;
inline constexpr std::uint32_t kMarkerHeadWords = 2;
inline constexpr std::uint32_t kMostRecordWords =
    kModuleHeadWords + (kMostPathBytes + kMostBuildIdBytes) / 8;
static_assert(kMostRecordWords < kRingWords / 2 && kMostFramesARecord < kMostRecordWords);

constexpr std::uint64_t record_word(RecordKind kind, std::uint64_t value = 0,
                                    std::uint8_t detail = 0) {
  return value << kValueShift | std::uint64_t{detail} << kKindBits |
         static_cast<std::uint64_t>(kind);
}
/// REQUIRES: detail < kPoolDetail, and no more bits in the address than 56 and kPoolAddress.
constexpr std::uint64_t block_word(RecordKind kind, std::uint64_t address,
                                   std::uint8_t detail = 0) {
  const auto pool = static_cast<std::uint8_t>(address / kPoolAddress * kPoolDetail);
  return record_word(kind, address, detail | pool);
}
constexpr std::uint64_t stack_word(std::uint32_t kept, std::uint32_t frames, std::uint8_t detail) {
  return record_word(RecordKind::kStack, std::uint64_t{kept} << kFramesBits | frames, detail);
}
constexpr RecordKind kind_of(std::uint64_t word) {
  return static_cast<RecordKind>(word & 0xf);
}
constexpr std::uint8_t detail_of(std::uint64_t word) {
  return static_cast<std::uint8_t>(word >> kKindBits & 0xf);
}
/// Of a time there are 56 bits, which at 3 GHz come again after 278 days: the last one that is
/// before `now`, which is any time of the recording, or not much after it.
constexpr std::uint64_t time_of(std::uint64_t word, std::uint64_t now) {
  constexpr std::uint64_t kMostAfter = std::uint64_t{1} << 48;  // a day
  const std::uint64_t before = (now + kMostAfter) - (word >> kValueShift);
  return now + kMostAfter - (before << kValueShift >> kValueShift);
}
constexpr std::uint64_t address_of(std::uint64_t word) {
  return word >> kValueShift | (detail_of(word) / kPoolDetail) * kPoolAddress;
}

constexpr std::uint32_t kept_of(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> (kValueShift + kFramesBits));
}
constexpr std::uint32_t frames_of(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> kValueShift) & ((1U << kFramesBits) - 1);
}

/// Words of a record without the text or frames that follow the head of some; 0 for no kind that
/// there is.
constexpr std::uint32_t head_words(RecordKind kind) {
  switch (kind) {
    case RecordKind::kTime:
    case RecordKind::kFree:
    case RecordKind::kStack:
      return 1;
    case RecordKind::kAllocation:
    case RecordKind::kFreeWithStack:
    case RecordKind::kModuleGone:
    case RecordKind::kFork:
      return 2;
    case RecordKind::kLargeAllocation:
    case RecordKind::kUsable:
      return 3;
    case RecordKind::kModule:
      return kModuleHeadWords;
    case RecordKind::kMapping:
      return 6;
    case RecordKind::kMarker:
      return kMarkerHeadWords;
    case RecordKind::kNone:
      break;
  }
  return 0;
}

/// Two bits for each kind: head_words() of an allocation or a free, 0 of all others.
inline constexpr std::uint32_t kHeapEventWords = [] {
  std::uint32_t words = 0;
  for (const RecordKind kind : {RecordKind::kAllocation, RecordKind::kLargeAllocation,
                                RecordKind::kFree, RecordKind::kFreeWithStack}) {
    words |= head_words(kind) << (2 * static_cast<unsigned>(kind));
  }
  return words;
}();
/// REQUIRES: one of a record's word.
constexpr std::uint32_t heap_event_words(RecordKind kind) {
  return kHeapEventWords >> (2 * static_cast<unsigned>(kind)) & 3;
}

}  // namespace mini::wire
