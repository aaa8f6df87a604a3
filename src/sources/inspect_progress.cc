#include "sources/inspect_progress.h"

#include <algorithm>
#include <array>

namespace mini::sources {

void ProgressMeter::tell() {
  static constexpr std::array<std::array<std::string_view, 2>, 5> kWords = {
      {{"getting ready to copy the heap", "the process waits: getting ready to copy the heap"},
       {"copying the heap", "the process waits: copying the heap"},
       {"reading the lists of free chunks", "the process waits: reading the lists of free chunks"},
       {"reading the heap", "the process waits: reading the heap"},
       {"searching for addresses of blocks",
        "the process waits: searching for addresses of blocks"}}};
  since_told_ = 0;
  if (!report_) return;
  const bool is_bounded = step_ == Step::kChunks || step_ == Step::kSearch;
  const std::uint64_t all = is_bounded ? all_ : 0;
  report_(kWords.at(static_cast<std::size_t>(step_)).at(waits_ ? 1 : 0),
          all == 0 ? done_ : std::min(done_, all), all);
}

}  // namespace mini::sources
