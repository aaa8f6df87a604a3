// A way to the channel for the user that this process is by now: wire/door.h.
//
// May run in a child of vfork, as all of exec_environment.h.
#pragma once

#include "wire/channel.h"

namespace mini::agent {

/// Writes a path by which programs of this process's user can open the channel, which is open to
/// its recorder's as `path`; false where there is none. May wait for the recorder, two seconds at
/// the most, once for each user.
bool find_door(wire::Channel& channel, const char* path, char (&out)[wire::kMostDoorPathBytes]);

}  // namespace mini::agent
