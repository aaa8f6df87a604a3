// Where the lab's programs, their sources and the staged allocators are: as built, as installed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/file_descriptor.h"

namespace mini::lab {

class Places {
 public:
  /// Beside this heapspy. The error names the folders that were looked for.
  static Result<Places> find();

  /// "three_mallocs"
  std::string program(std::string_view name) const;
  /// "three_mallocs.c", "stages/stage1_bump.c"
  std::string source(std::string_view name) const;
  /// libstage1.so … libstage8.so, by a name for LD_PRELOAD. REQUIRES: 1 <= stage <= 8.
  std::string stage(int stage) const;
  /// libminimalloc's shared library, likewise; "" where there is none.
  std::string minimalloc() const { return minimalloc_; }

 private:
  /// A name of the folder that LD_PRELOAD takes, as long as this object lives: of one whose path
  /// it cannot hold, by way of our own descriptor.
  std::string preloadable(const std::string& folder);

  std::string programs_;
  std::string sources_;
  std::string stages_;
  std::string minimalloc_;
  std::vector<std::shared_ptr<const kernel::FileDescriptor>> opened_;
};

/// As it is shown: from the current folder where it is in there, else in full.
std::string shown_path(const std::string& path);

/// The whole of a text file.
Result<std::string> read_text(const std::string& path);

}  // namespace mini::lab
