// The ELF files of all processes of a trace, each opened once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "unwind/module.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

class ModuleCache {
 public:
  explicit ModuleCache(const UnwinderOptions& options) : options_(options) {}

  const UnwinderOptions& options() const { return options_; }

  /// The module of a mapped file; nullptr where it cannot be opened, is not the mapped file any
  /// more or is malformed.
  std::shared_ptr<Module> open(const ModuleMapping& mapping, const std::string& root);
  /// The module whose whole image is in memory: the vdso.
  std::shared_ptr<Module> open_image(const ModuleMapping& mapping, const MemoryReader& memory);

  std::uint64_t modules_count() const { return modules_count_; }
  std::uint64_t rejected_count() const { return rejected_.size(); }  // files

 private:
  std::shared_ptr<Module> add(Result<std::unique_ptr<ElfFile>> file, const ModuleMapping& mapping,
                              const std::string& root);

  UnwinderOptions options_;
  // A module keeps its file open, so its inode is not given to another file meanwhile.
  std::map<FileIdentity, std::shared_ptr<Module>> files_;
  std::vector<std::pair<std::vector<std::byte>, std::shared_ptr<Module>>> images_;
  std::uint64_t modules_count_ = 0;
  std::set<FileIdentity> rejected_;
};

}  // namespace mini::unwind
