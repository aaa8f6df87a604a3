// A process that was running before it was recorded, and is to run on after.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <sys/types.h>

#include "base/result.h"
#include "inject/attachment.h"
#include "kernel/file_keeper.h"
#include "kernel/shared_file.h"
#include "recording/event.h"
#include "sources/recorder.h"

namespace mini::sources {

class JoinedProcess {
 public:
  /// Puts the agent into options.process. Errors are for the user, with what to do.
  static Result<std::unique_ptr<JoinedProcess>> join(const RecordOptions& options,
                                                     const kernel::SharedFile& channel);

  /// Whether it is to be recorded no longer: it ended, became a program that can have no agent, the
  /// user asked for the end, or the time is over. To be asked every few milliseconds.
  bool is_over(std::uint64_t now_ns, std::uint64_t begin_ns);

  /// Takes the agent's hands off it. `while_stopped()` as by Attachment::detach().
  void leave(const std::function<void()>& while_stopped);

  /// How the recording of the process, or of one that it forked, ended.
  recording::Ending::Kind ending_of(pid_t pid, bool has_ended) const;

 private:
  JoinedProcess(const RecordOptions& options, kernel::FileKeeper keeper,
                std::unique_ptr<inject::Attachment> attachment);
  bool is_lost();

  pid_t pid_;
  std::uint64_t most_ns_;
  kernel::ProcessHandle handle_;
  kernel::FileKeeper keeper_;                       // where the process may not see our files
  std::unique_ptr<inject::Attachment> attachment_;  // null: it is another program now
  bool is_lost_ = false;
};

}  // namespace mini::sources
