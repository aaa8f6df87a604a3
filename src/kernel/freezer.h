// Whether a process stands still because its control group is frozen, as `docker pause` does it.
#pragma once

#include <cstdint>
#include <sys/types.h>

namespace mini::kernel {

enum class Frozen : std::uint8_t {
  kNo,           // or it cannot be found out
  kStoppable,    // cgroup v2: a tracer can stop its threads, which go no further
  kUnstoppable,  // cgroup v1: its threads wait as for a disk
};

Frozen read_frozen(pid_t pid);

}  // namespace mini::kernel
