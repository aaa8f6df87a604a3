// What a recorded process is: as it says in its slot, and where that says nothing, as it does of a
// copy, as the kernel has it or as it was of the process that it is a copy of.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "wire/channel.h"

namespace mini::sources {

struct ProcessIdentity {
  std::string recording;  // its path
  pid_t pid = 0;          // by which we know it; 0: it was gone when it was begun
  pid_t parent_pid = 0;   // when it began
  std::string executable;
  std::vector<std::string> command;
};

/// `origin`: the process that it is a copy of; nothing where there is none. The slot is the
/// target's: what it says may be anything.
ProcessIdentity identify(const wire::Slot& slot, pid_t pid, std::string recording,
                         const ProcessIdentity& origin);

}  // namespace mini::sources
