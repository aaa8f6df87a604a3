#include "sources/doors.h"

#include <algorithm>
#include <unistd.h>

namespace mini::sources {

using wire::DoorState;

Doors::Doors(wire::Channel& channel, const kernel::SharedFile& file)
    : channel_(channel), file_(file) {
  channel.user = ::geteuid();
  channel.group = ::getegid();
}

// A target may ask again and again by setting the state back: there are as many keepers as doors.
void Doors::answer() {
  for (wire::Door& door : channel_.doors) {
    if (door.state.load(std::memory_order_acquire) != DoorState::kAsked) continue;
    DoorState answer = DoorState::kRefused;
    if (keepers_.size() < wire::kDoors) {
      auto keeper = kernel::FileKeeper::start(file_, {.user = door.user, .group = door.group});
      if (keeper && keeper->path().size() < sizeof door.path) {
        std::ranges::copy(keeper->path(), &door.path[0]);
        keepers_.push_back(std::move(*keeper));
        answer = DoorState::kOpen;
      }
    }
    door.state.store(answer, std::memory_order_release);
    kernel::wake_waiters(reinterpret_cast<std::uint32_t*>(&door.state));
  }
}

}  // namespace mini::sources
