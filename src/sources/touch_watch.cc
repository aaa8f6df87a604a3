#include "sources/touch_watch.h"

#include <algorithm>

namespace mini::sources {
namespace {

constexpr std::size_t kMostEarly = 100'000;  // else they are of what is never recorded

}  // namespace

void TouchWatch::begin(Result<std::unique_ptr<kernel::PageFaultWatch>> watch) {
  is_asked_for_ = true;
  if (watch) {
    watch_ = std::move(*watch);
  } else {
    refusal_ = watch.error().message;
  }
}

void TouchWatch::tell_of_begin(RecordedProcess& process) const {
  if (is_asked_for_) process.note_touch_watch(refusal_, 0);
}

void TouchWatch::tell_of_end(RecordedProcess& process) const {
  if (watch_ != nullptr) process.note_touch_watch("", watch_->lost());
}

void TouchWatch::deal_out(const FindProcess& find) {
  if (watch_ == nullptr) return;
  std::vector<kernel::PageFault> faults = watch_->read();
  for (kernel::PageFault& fault : faults) fault.time_ns -= std::min(fault.time_ns, begin_ns_);
  faults.insert(faults.begin(), early_.begin(), early_.end());
  early_.clear();
  for (auto begin = faults.begin(); begin != faults.end();) {
    const auto end = std::stable_partition(
        begin, faults.end(), [pid = begin->pid](const auto& fault) { return fault.pid == pid; });
    if (RecordedProcess* process = find(begin->pid); process != nullptr) {
      process->add_page_faults({begin, end});
    } else {
      early_.insert(early_.end(), begin, end);
    }
    begin = end;
  }
  if (early_.size() > kMostEarly) early_.clear();
}

}  // namespace mini::sources
