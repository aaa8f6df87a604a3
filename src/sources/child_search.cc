#include "sources/child_search.h"

#include <algorithm>
#include <string>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/proc_file.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kMostWaitNs = 500'000'000;
// Who is just becoming another program cannot be seen for a moment.
constexpr std::uint64_t kLeastWaitNs = 20'000'000;
constexpr std::uint64_t kBetweenLooksNs = 50'000'000;

}  // namespace

void ChildSearch::process_ended() {
  last_end_ns_ = monotonic_ns();
}

/// Whether the process has the channel, or will find it.
bool ChildSearch::leads_here(pid_t pid) const {
  if (pid == ::getpid()) return false;
  if (file_.is_mapped_by(pid)) return true;
  const auto environment = kernel::read_proc_file(pid, "environ");
  // With the zero after it: .../fd/3 is not .../fd/30.
  const std::string path = file_.path();
  return environment && environment->find(path.c_str(), 0, path.size() + 1) != std::string::npos;
}

bool ChildSearch::may_come() {
  const std::uint64_t now = monotonic_ns();
  const bool has_any = channel_.has_children.load(std::memory_order_acquire) != 0;
  if (!has_any || now - last_end_ns_ >= kMostWaitNs) return false;
  if (now - last_end_ns_ < kLeastWaitNs) return true;
  if (now - looked_ns_ >= kBetweenLooksNs) {
    looked_ns_ = now;
    is_anybody_there_ = std::ranges::any_of(kernel::read_process_ids(),
                                            [this](pid_t pid) { return leads_here(pid); });
  }
  return is_anybody_there_;
}

}  // namespace mini::sources
