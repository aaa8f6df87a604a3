// Finds the call frame information of a code address in a module's .eh_frame_hdr and .eh_frame, in
// this process's memory (LSB core, "Exception Frames").
//
// The sections are input from whoever made the module: nothing outside of `bytes` is read, whatever
// they say.
#pragma once

#include <cstdint>

#include "base/byte_cursor.h"
#include "unwind/self/cfa_program.h"
#include "unwind/self/row.h"

namespace mini::unwind::self {

struct EhFrame {
  std::uintptr_t header = 0;  // where .eh_frame_hdr begins; 0: there is none
  ByteRange bytes;            // the mapped segment with both sections
};

/// False where nothing describes `pc`.
bool find_frame_description(const EhFrame& sections, std::uintptr_t pc, FrameDescription* found);

/// kFramePointer where nothing describes `pc`.
Row compile_row(const EhFrame& sections, std::uintptr_t pc);

}  // namespace mini::unwind::self
