// A child that holds a shared file open as another user, or with fewer capabilities, for a process
// of that user to open: what /proc/PID/fd shows of a process with more rights, it may not see.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

#include "base/result.h"
#include "kernel/shared_file.h"

namespace mini::kernel {

class FileKeeper {
 public:
  struct Owner {
    uid_t user = 0;
    gid_t group = 0;
    std::uint64_t capabilities = ~std::uint64_t{0};  // that it may have, one bit each
  };

  /// Fails where we may not become that user.
  static Result<FileKeeper> start(const SharedFile& file, Owner owner);
  /// For the user, the group and the capabilities of `pid`.
  static Result<FileKeeper> start_for(const SharedFile& file, pid_t pid);

  FileKeeper() = default;
  FileKeeper(FileKeeper&& other) noexcept;
  FileKeeper& operator=(FileKeeper&& other) noexcept;
  ~FileKeeper();

  /// Whether `pid` belongs to another user than us, or lacks a capability of ours, so that it needs
  /// one.
  static bool is_needed(pid_t pid);

  /// What the other process opens the file by, as long as this lives. It dies with us.
  const std::string& path() const { return path_; }

 private:
  pid_t child_ = 0;
  std::string path_;
};

}  // namespace mini::kernel
