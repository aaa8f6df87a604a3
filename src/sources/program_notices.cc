#include "sources/program_notices.h"

#include <algorithm>

#include "kernel/proc_file.h"

namespace mini::sources {
namespace {

using wire::NoticeState;
using wire::ProgramNotice;

// Each field is read once.
ProgramNotices::Found copy(const ProgramNotice& notice) {
  const std::uint32_t bytes = notice.path_bytes;
  return {.pid = static_cast<pid_t>(notice.pid),
          .parent_pid = static_cast<pid_t>(notice.parent_pid),
          .obstacle = preload_obstacle(static_cast<std::uint64_t>(notice.obstacle)),
          .path = {&notice.path[0], std::min<std::size_t>(bytes, sizeof notice.path)}};
}

}  // namespace

std::vector<ProgramNotices::Found> ProgramNotices::read(Moment moment) {
  std::vector<Found> found;
  const std::uint32_t written = board_.written_count.load(std::memory_order_acquire);
  if (written != written_seen_ || is_waiting_) {
    written_seen_ = written;
    is_waiting_ = false;
    for (ProgramNotice& notice : board_.notices) {
      NoticeState state = notice.state.load(std::memory_order_acquire);
      if (state != NoticeState::kAnnounced && state != NoticeState::kCertain) continue;
      Found one = copy(notice);
      if (state == NoticeState::kAnnounced && moment == Moment::kGoesOn &&
          !kernel::has_become(one.pid, notice.device, notice.inode)) {
        is_waiting_ = true;
        continue;
      }
      // Its writer may just have taken it back.
      if (!notice.state.compare_exchange_strong(state, NoticeState::kFree,
                                                std::memory_order_acq_rel)) {
        continue;
      }
      if (one.obstacle != PreloadObstacle::kNone) found.push_back(std::move(one));
    }
  }
  // A target may write any number here.
  constexpr std::uint32_t kMostLost = 10'000;
  const std::uint32_t lost = board_.lost_count.load(std::memory_order_relaxed);
  found.resize(found.size() + std::min(lost - lost_seen_, kMostLost));
  lost_seen_ = lost;
  return found;
}

}  // namespace mini::sources
