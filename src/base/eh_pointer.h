// The pointers of .eh_frame and .eh_frame_hdr (LSB core, "DWARF Exception Header Encoding"). All of
// it is inline: it also serves inside malloc, where nothing is linked that may allocate.
#pragma once

#include <cstdint>

#include "base/byte_cursor.h"

namespace mini {

// DW_EH_PE_*: an encoding is a format, what the pointer is relative to, and whether it leads to the
// place of the real one.
inline constexpr std::uint8_t kEhFormatBits = 0x0f;
inline constexpr std::uint8_t kEhAbsolute = 0x00;
inline constexpr std::uint8_t kEhUleb = 0x01;
inline constexpr std::uint8_t kEhUdata2 = 0x02;
inline constexpr std::uint8_t kEhUdata4 = 0x03;
inline constexpr std::uint8_t kEhUdata8 = 0x04;
inline constexpr std::uint8_t kEhSleb = 0x09;
inline constexpr std::uint8_t kEhSdata2 = 0x0a;
inline constexpr std::uint8_t kEhSdata4 = 0x0b;
inline constexpr std::uint8_t kEhSdata8 = 0x0c;
inline constexpr std::uint8_t kEhBaseBits = 0x70;
inline constexpr std::uint8_t kEhNoBase = 0x00;
inline constexpr std::uint8_t kEhPcRelative = 0x10;
inline constexpr std::uint8_t kEhDataRelative = 0x30;
inline constexpr std::uint8_t kEhIndirect = 0x80;
inline constexpr std::uint8_t kEhOmitted = 0xff;

/// What pointers may be relative to.
struct EhBases {
  std::uint64_t here = 0;  // the address of the pointer's first byte
  std::uint64_t data = 0;  // where .eh_frame_hdr begins; 0: there is none
};

/// The number at the cursor, in the encoding's format, relative to nothing whatever the encoding
/// says. False where the bytes end, or the format is none.
inline bool take_eh_number(ByteCursor& bytes, std::uint8_t encoding, std::uint64_t* number) {
  const auto extended = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  switch (encoding & kEhFormatBits) {
    case kEhAbsolute:
    case kEhUdata8:
    case kEhSdata8:
      *number = bytes.take<std::uint64_t>();
      break;
    case kEhUdata4:
      *number = bytes.take<std::uint32_t>();
      break;
    case kEhSdata4:
      *number = extended(bytes.take<std::int32_t>());
      break;
    case kEhUdata2:
      *number = bytes.take<std::uint16_t>();
      break;
    case kEhSdata2:
      *number = extended(bytes.take<std::int16_t>());
      break;
    case kEhUleb:
      *number = bytes.take_uleb();
      break;
    case kEhSleb:
      *number = extended(bytes.take_sleb());
      break;
    default:
      return false;
  }
  return bytes.ok();
}

/// The pointer at the cursor. False where the bytes end, or it is relative to what is not known, or
/// the real one is elsewhere.
inline bool take_eh_pointer(ByteCursor& bytes, std::uint8_t encoding, const EhBases& bases,
                            std::uint64_t* pointer) {
  if (encoding == kEhOmitted || (encoding & kEhIndirect) != 0) return false;
  if (!take_eh_number(bytes, encoding, pointer)) return false;
  switch (encoding & kEhBaseBits) {
    case kEhNoBase:
      return true;
    case kEhPcRelative:
      *pointer += bases.here;
      return true;
    case kEhDataRelative:
      *pointer += bases.data;
      return bases.data != 0;
    default:
      return false;
  }
}

}  // namespace mini
