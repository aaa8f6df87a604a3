// Call frame information made from the input, looked up for addresses near it.
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "fuzz_target.h"
#include "unwind/self/cfa_expression.h"
#include "unwind/self/eh_frame.h"

namespace {

using mini::ByteRange;
using mini::unwind::self::EhFrame;
using mini::unwind::self::FrameDescription;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const ByteRange bytes{begin, begin + size};
  const EhFrame sections{begin, bytes};
  // The table's first pairs say where there is code; with none, the entries are relative to data.
  for (std::size_t at = 12; at + 4 <= size && at < 12 + 8 * 8; at += 8) {
    std::int32_t offset = 0;
    std::memcpy(&offset, data + at, sizeof offset);
    const std::uintptr_t pc = begin + static_cast<std::uintptr_t>(std::intptr_t{offset});
    for (const unsigned further : {0U, 1U, 4U, 16U, 64U}) {
      (void)mini::unwind::self::compile_row(sections, pc + further);
    }
  }
  (void)mini::unwind::self::compile_row(sections, begin + 0x1000);
  // The same bytes as instructions, and as an expression.
  for (const bool is_signal_frame : {false, true}) {
    FrameDescription frame;
    frame.common = {.code_alignment = 1,
                    .data_alignment = -8,
                    .return_register = 16,
                    .is_signal_frame = is_signal_frame,
                    .instructions = {begin, begin + size / 4}};
    frame.begin = 0x1000;
    frame.end = 0x2000;
    frame.instructions = {begin + size / 4, begin + size};
    (void)mini::unwind::self::run_cfa_program(frame, 0x1fff);
  }
  (void)mini::unwind::self::evaluate_expression(bytes, 0x1001);
  return 0;
}
