// Which file system a path leads to, found out without going there.
#pragma once

#include <string>
#include <string_view>

namespace mini::kernel {

/// What is mounted in our own namespace.
class MountTable {
 public:
  /// Of this moment. Empty where it cannot be read.
  static MountTable read();
  /// `text`: as in /proc/PID/mounts.
  explicit MountTable(std::string text) : text_(std::move(text)) {}

  /// The type of the file system that a path is on by its words alone, as "ext4"; "" where there is
  /// none. Nothing is opened, mounted or waited for, and so no symbolic link is followed.
  /// REQUIRES: `path` begins with a slash and has no "." or ".." in it.
  std::string type_at(std::string_view path) const;
  /// Where a file system of that type is mounted that has that option, "" for any; "" where none
  /// is.
  std::string folder_of(std::string_view type, std::string_view option) const;

 private:
  std::string text_;
};

}  // namespace mini::kernel
