// Opens the channel to programs of other users, where we may become those: wire/door.h.
#pragma once

#include <vector>

#include "kernel/file_keeper.h"
#include "kernel/shared_file.h"
#include "wire/channel.h"

namespace mini::sources {

/// Not thread-safe. What it opened is open as long as it lives.
class Doors {
 public:
  Doors(wire::Channel& channel, const kernel::SharedFile& file);

  /// Answers those who ask. Cheap where nobody does.
  void answer();

 private:
  wire::Channel& channel_;
  const kernel::SharedFile& file_;
  std::vector<kernel::FileKeeper> keepers_;
};

}  // namespace mini::sources
