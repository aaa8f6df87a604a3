// The numbers of the recording format: docs/recording-format.md says what they mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mini::recording {

inline constexpr std::array<std::uint8_t, 8> kMagic{0x8B, 'H', 'S', 'P', '\r', '\n', 0x1A, '\n'};
inline constexpr std::array<std::uint8_t, 4> kMarker{0xF5, 'H', 'S', 0xB7};
inline constexpr std::array<std::uint8_t, 4> kFooterEnd{'\n', 0x1A, 'H', 0x8B};

inline constexpr std::uint16_t kMajorVersion = 1;
inline constexpr std::uint16_t kMinorVersion = 4;

inline constexpr std::size_t kHeadBytes = 16;
inline constexpr std::size_t kBlockHeaderBytes = 32;
inline constexpr std::size_t kFooterBytes = 16;
inline constexpr std::size_t kMaxBlockBytes = 8U << 20U;  // stored, and raw
inline constexpr std::size_t kMaxRatio = 256;             // of a block's raw bytes to stored ones
inline constexpr std::size_t kMaxStringBytes = 64U << 10U;
inline constexpr std::size_t kMaxArguments = 16U << 10U;  // of the process
inline constexpr std::size_t kMaxSourceFrames = 64;       // of a frame

enum class BlockType : std::uint8_t {
  kProcess = 1,
  kModules,
  kThreads,
  kFrames,
  kStacks,
  kSources,
  kEvents,
  kEnding,
  kIndex,
  kLeakScan,
  kFork,
  kUnrecordedProgram,
};

inline constexpr BlockType kLastBlockType = BlockType::kUnrecordedProgram;

inline constexpr std::uint8_t kFlagZstd = 1;
inline constexpr std::uint8_t kKnownFlags = kFlagZstd;

/// The columns of an events block, in the order of the file.
enum class Column : std::uint8_t {
  kCodes,
  kTicks,
  kThreads,
  kSlotsLow,
  kSlotsHigh,
  kAddresses,
  kStacks,
  kNewStacks,
  kSizesLow,
  kSizesHigh,
  kWeights,
  kOthers,
};
inline constexpr std::size_t kColumns = 12;

inline constexpr std::uint32_t kMaxEvents = 65535;   // of a block; slots are numbered with 16 bits
inline constexpr std::uint32_t kMaxThreads = 60000;  // of a block
inline constexpr std::uint32_t kMaxAddressShift = 16;

// The code of an event.
inline constexpr std::uint8_t kCodeFree = 0x01;
inline constexpr std::uint8_t kCodeLater = 0x02;
inline constexpr std::uint8_t kCodeThread = 0x04;
inline constexpr std::uint8_t kCodeModeMask = 0x18;
inline constexpr std::uint8_t kCodeStack = 0x20;
inline constexpr std::uint8_t kCodeSize = 0x40;       // of an allocation
inline constexpr std::uint8_t kCodeSameStack = 0x40;  // of a free
inline constexpr std::uint8_t kCodeOther = 0x80;
inline constexpr unsigned kCodeOtherShift = 3;
inline constexpr std::uint8_t kCodeOtherMask = 0x78;
inline constexpr std::uint8_t kOtherSample = 1;
inline constexpr std::uint8_t kOtherMarker = 2;
inline constexpr std::uint8_t kOtherMapping = 3;
inline constexpr std::uint8_t kOtherUsable = 4;
inline constexpr std::uint8_t kOtherTouch = 5;
inline constexpr std::uint8_t kOtherTouchWatch = 6;

// Address modes, as they stand in a code.
inline constexpr std::uint8_t kModePredicted = 0x00;
inline constexpr std::uint8_t kModeNext = 0x08;
inline constexpr std::uint8_t kModeSlot = 0x10;
inline constexpr std::uint8_t kModeAddress = 0x18;

inline constexpr std::uint8_t kFreeStackKind = 255;  // instead of a CallKind

}  // namespace mini::recording
