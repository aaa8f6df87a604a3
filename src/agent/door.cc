#include "agent/door.h"

#include <cstring>

#include "agent/patience.h"
#include "agent/session.h"
#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"

namespace mini::agent {
namespace {

namespace vm = kernel::vm;
using wire::Door;
using wire::DoorState;

/// The user's door, or a free one that is this process's to ask by; null where all are others'.
Door* take_door(wire::Channel& channel, std::uint32_t user, std::uint32_t group) {
  for (Door& door : channel.doors) {
    auto state = DoorState::kFree;
    if (door.state.compare_exchange_strong(state, DoorState::kTaken, std::memory_order_acquire)) {
      door.user = user;
      door.group = group;
      door.state.store(DoorState::kAsked, std::memory_order_release);
      ring_doorbell(channel);
      return &door;
    }
    if (state != DoorState::kTaken && door.user == user && door.group == group) return &door;
  }
  return nullptr;
}

DoorState wait_for_answer(Door& door, const wire::Channel& channel) {
  Patience patience(kMostWaitNs);
  DoorState state = door.state.load(std::memory_order_acquire);
  while (state == DoorState::kAsked && patience.lasts() && wire::has_reader(channel)) {
    vm::wait_shared(reinterpret_cast<std::uint32_t*>(&door.state),
                    static_cast<std::uint32_t>(DoorState::kAsked), Patience::kMostOfASleepNs);
    state = door.state.load(std::memory_order_acquire);
  }
  return state;
}

}  // namespace

bool find_door(wire::Channel& channel, const char* path, char (&out)[wire::kMostDoorPathBytes]) {
  if (vm::will_open(path)) {
    const std::size_t bytes = std::strlen(path) + 1;
    if (bytes > sizeof out) return false;
    std::memcpy(&out[0], path, bytes);
    return true;
  }
  const std::uint32_t user = vm::effective_user();
  const std::uint32_t group = vm::effective_group();
  if (user == channel.user && group == channel.group) return false;
  Door* const door = take_door(channel, user, group);
  if (door == nullptr || wait_for_answer(*door, channel) != DoorState::kOpen) return false;
  // Others may write there, and in a user namespace the same number is another user.
  std::memcpy(&out[0], &door->path[0], sizeof out);
  out[sizeof out - 1] = '\0';
  return vm::will_open(&out[0]);
}

}  // namespace mini::agent
