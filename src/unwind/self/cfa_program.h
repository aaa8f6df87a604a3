// From the instructions of call frame information to a row.
#pragma once

#include <cstdint>

#include "base/byte_cursor.h"
#include "unwind/self/row.h"

namespace mini::unwind::self {

/// What a common information entry says (CIE; DWARF 5, §6.4.1, and LSB core, "The Common
/// Information Entry Format").
struct CommonInformation {
  std::uint64_t code_alignment = 1;
  std::int64_t data_alignment = 1;
  std::uint64_t return_register = 0;
  std::uint8_t pointer_encoding = 0;  // DW_EH_PE_*
  bool has_augmentation_data = false;
  bool is_signal_frame = false;
  ByteRange instructions;
};

/// The same with what a frame description entry (FDE) adds: the code in [begin, end).
struct FrameDescription {
  CommonInformation common;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  ByteRange instructions;
};

/// The offsets in the frame that the kernel pushes for a handler, from the stack pointer after the
/// handler's return: struct ucontext is flags, link and stack (40 bytes), then struct sigcontext_64
/// (Linux, arch/x86/include/uapi/asm/ucontext.h and sigcontext.h).
inline constexpr std::int64_t kSignalBp = 40 + 10 * 8;
inline constexpr std::int64_t kSignalSp = 40 + 15 * 8;
inline constexpr std::int64_t kSignalPc = 40 + 16 * 8;

/// The row for `pc`, which lies in the description's code; x86-64's registers.
Row run_cfa_program(const FrameDescription& frame, std::uintptr_t pc);

}  // namespace mini::unwind::self
