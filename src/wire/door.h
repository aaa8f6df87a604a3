// Ways to the channel for other users: a process that has become another one, as a daemon does that
// drops its rights, keeps the channel that it has mapped; a program that it starts has to open it,
// and may not. It asks the recorder for a path by which that user may, and waits, for a moment.
//
//   D1  a door goes kFree -> kTaken -> kAsked by whoever needs one for its user, then to kOpen or
//       kRefused by the recorder, and stays so: the next of the same user finds it
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mini::wire {

inline constexpr std::uint32_t kDoors = 8;  // users at once
inline constexpr std::size_t kMostDoorPathBytes = 64;

enum class DoorState : std::uint32_t { kFree, kTaken, kAsked, kOpen, kRefused };

struct Door {
  std::atomic<DoorState> state;
  std::uint32_t user;
  std::uint32_t group;
  char path[kMostDoorPathBytes];  // of an open one
};

}  // namespace mini::wire
