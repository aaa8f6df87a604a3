// Files that an option or an operand names.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/file_descriptor.h"

namespace mini::cli {

/// All of the file's text. An error says which file and why; one that is far too large for what
/// people write is not read.
Result<std::string> read_text_file(const std::string& path);

/// A file that is looked at before it is read, so that it is known who reads it. A pipe loses
/// nothing by that: while this object lives, others may open it by its path and read it from its
/// begin.
class PeekedFile {
 public:
  static Result<PeekedFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  /// Its first byte; 0 where it is empty, or where that cannot be told without taking it.
  char first_byte() const { return first_byte_; }
  /// Everything, once.
  Result<std::string> read_all() const;

 private:
  PeekedFile(std::string path, kernel::FileDescriptor fd);

  std::string path_;
  kernel::FileDescriptor fd_;
  char first_byte_;
};

}  // namespace mini::cli
