// The files of the modules that a recording names, opened for the functions that it does not name,
// since its recorder was killed.
//
// The paths are the recording's word, perhaps an adversary's: nothing is opened but regular files,
// and nothing is mounted for it. A file is believed where it has the recorded build ID.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernel/mount_table.h"
#include "model/heap_profile.h"
#include "recording/event.h"
#include "unwind/module.h"

namespace mini::sources {

class RecordedModules {
 public:
  using Reason = model::UnnamedModule::Reason;

  /// The module, of the file itself or of its debug file, or why there is none. It lives as long as
  /// this.
  std::expected<unwind::Module*, Reason> find(const std::string& path, const std::string& build_id);

  /// The functions at a module's return address; none where they are not known.
  std::vector<recording::SourceFrame> source_frames(const recording::ModuleFacts& facts,
                                                    std::uint64_t address);

 private:
  std::expected<std::unique_ptr<unwind::Module>, Reason> open(const std::string& path,
                                                              const std::string& build_id) const;
  bool may_open(const std::string& path) const;

  kernel::MountTable mounts_ = kernel::MountTable::read();
  std::map<std::string, std::unique_ptr<unwind::Module>> found_;   // by build ID
  std::map<std::pair<std::string, std::string>, Reason> missing_;  // by path and build ID
};

}  // namespace mini::sources
