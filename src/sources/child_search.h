// Whether anybody may still come to tell of itself when all that is recorded has ended.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include "kernel/shared_file.h"
#include "wire/channel.h"

namespace mini::sources {

/// A child is known by the first that it tells, and may come to that later than its parent ends. It
/// may also end before, or become a program that tells nothing; so it is looked for among all
/// processes. Not thread-safe.
class ChildSearch {
 public:
  ChildSearch(const wire::Channel& channel, const kernel::SharedFile& file)
      : channel_(channel), file_(file) {}

  /// A process that was recorded has ended now.
  void process_ended();
  /// For half a second after the last end at the most. Reads the files of all processes of the
  /// system, twenty times a second, where agents said that there may be children.
  bool may_come();

 private:
  bool leads_here(pid_t pid) const;

  const wire::Channel& channel_;
  const kernel::SharedFile& file_;
  std::uint64_t last_end_ns_ = 0;
  std::uint64_t looked_ns_ = 0;
  bool is_anybody_there_ = true;  // when we looked
};

}  // namespace mini::sources
