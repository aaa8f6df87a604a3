// A process's memory as it is in the files that are mapped there: for what programs cannot change,
// and what need not be brought into memory only because we look at it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "kernel/file_descriptor.h"
#include "model/mapping.h"

namespace mini::sources {

class MappedFiles final : public MemoryReader {
 public:
  /// `root`: what to put before paths to open them. REQUIRES: `mappings` by address.
  MappedFiles(std::vector<model::Mapping> mappings, std::string root)
      : mappings_(std::move(mappings)), root_(std::move(root)) {}

  /// 0 where no file is mapped, or the file is not the one any more that was.
  std::size_t read(Address from, std::span<std::byte> out) const override;

 private:
  int descriptor_of(const model::Mapping& mapping) const;

  std::vector<model::Mapping> mappings_;
  std::string root_;
  mutable std::map<std::string, std::unique_ptr<kernel::FileDescriptor>> opened_;
};

}  // namespace mini::sources
