// Page faults of a recorded process, which wait until the events before them are written.
#include <algorithm>

#include "sources/recorded_process.h"

namespace mini::sources {

void RecordedProcess::add_page_faults(std::span<const kernel::PageFault> faults) {
  for (kernel::PageFault fault : faults) {
    fault.time_ns = since_begin(fault.time_ns);
    faults_.push_back(fault);
  }
}

void RecordedProcess::note_touch_watch(const std::string& refusal, std::uint64_t lost) {
  if (writer_ == nullptr) return;
  writer_->add(recording::TouchWatch{.time_ns = last_ns_, .refusal = refusal, .lost = lost});
}

// An interrupted instruction counts as its address and 1: minus one, it is in that instruction, as
// a return address is in the call.
void RecordedProcess::write_page_faults(std::uint64_t until_ns) {
  for (; !faults_.empty() && faults_.front().time_ns <= until_ns; faults_.pop_front()) {
    const kernel::PageFault& fault = faults_.front();
    last_ns_ = std::max(last_ns_, fault.time_ns);
    const recording::FrameNumber frame =
        code_.frame_of_any(*writer_, fault.instruction.value + 1, last_ns_);
    writer_->add(recording::Touch{.time_ns = last_ns_,
                                  .thread = number_of_thread(static_cast<std::uint32_t>(fault.tid)),
                                  .address = fault.address,
                                  .stack = writer_->stack(0, frame)});
  }
}

}  // namespace mini::sources
