// What is known of a program before it is run: whether its loader will take a library by
// LD_PRELOAD. The same rules as vm.h: nothing allocates, throws, locks or touches errno. May be
// called in a child of vfork.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/preload_obstacle.h"

namespace mini::kernel::vm {

struct ProgramFile {
  static constexpr std::size_t kMostInterpreterBytes = 256;  // the kernel reads no more of a line

  PreloadObstacle obstacle = PreloadObstacle::kNone;
  // Of the file that runs: of a script that is its interpreter. 0 where there is none.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  char interpreter[kMostInterpreterBytes] = {};  // of a script; else ""
};

/// `path` is relative to the folder that is open as `folder` (AT_FDCWD: the current one); "": the
/// file that is open so. A file that cannot be executed has no obstacle.
ProgramFile look_at_program(int folder, const char* path);

}  // namespace mini::kernel::vm
