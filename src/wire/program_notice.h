// What agents tell of programs that no agent can be in: a board of a few places in the head of the
// channel. Whoever becomes or starts such a program may have no slot, as a child of fork that does
// nothing else, or be in its parent's memory, as one of vfork: so it is no record of a ring.
//
//   N1  a place goes kFree -> kTaken by whoever writes on it, then kAnnounced or kCertain
//       (release), and back to kFree: by the recorder that has read it, or, from kAnnounced, by the
//       writer whose program did not begin
//   N2  who is killed while it writes leaves its place taken
//
// What is announced became true if the process runs that file, or has ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/preload_obstacle.h"

namespace mini::wire {

inline constexpr std::uint32_t kNotices = 32;
inline constexpr std::size_t kMostNoticePathBytes = 984;

enum class NoticeState : std::uint32_t {
  kFree,
  kTaken,
  kAnnounced,  // a process is about to become the program
  kCertain,    // it was started
};

struct ProgramNotice {
  std::atomic<NoticeState> state;
  std::uint32_t pid;         // of the program
  std::uint32_t parent_pid;  // of whoever started it
  PreloadObstacle obstacle;
  std::uint64_t device;  // of the file that runs
  std::uint64_t inode;
  std::uint32_t path_bytes;
  char path[kMostNoticePathBytes];  // as it was called; perhaps cut
};

struct NoticeBoard {
  std::atomic<std::uint32_t> written_count;  // of all notices
  std::atomic<std::uint32_t> lost_count;     // there was no place for
  ProgramNotice notices[kNotices];
};

}  // namespace mini::wire
