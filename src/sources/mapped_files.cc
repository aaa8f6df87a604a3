#include "sources/mapped_files.h"

#include <algorithm>
#include <cstdint>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/regular_file.h"

namespace mini::sources {

std::size_t MappedFiles::read(Address from, std::span<std::byte> out) const {
  const auto after = std::ranges::upper_bound(
      mappings_, from, {}, [](const model::Mapping& mapping) { return mapping.range.begin; });
  if (after == mappings_.begin() || !std::prev(after)->range.contains(from)) return 0;
  const model::Mapping& mapping = *std::prev(after);
  const auto offset = checked_add(mapping.file_offset, (from - mapping.range.begin).count);
  const int descriptor = descriptor_of(mapping);
  if (descriptor < 0 || !offset || *offset > INT64_MAX) return 0;
  const std::size_t wanted = std::min<std::uint64_t>(out.size(), (mapping.range.end - from).count);
  const ssize_t count = ::pread(descriptor, out.data(), wanted, static_cast<off_t>(*offset));
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

/// Where another file is under that name now, its inode is another one.
int MappedFiles::descriptor_of(const model::Mapping& mapping) const {
  if (!mapping.path.starts_with('/')) return -1;
  const auto known = opened_.find(mapping.path);
  if (known != opened_.end()) return known->second->get();
  auto file = std::make_unique<kernel::FileDescriptor>(
      open_regular_file(root_ + mapping.path).value_or(-1));
  struct stat status{};
  const bool same = *file && ::fstat(file->get(), &status) == 0 && status.st_ino == mapping.inode;
  if (!same) file = std::make_unique<kernel::FileDescriptor>();
  return opened_.emplace(mapping.path, std::move(file)).first->second->get();
}

}  // namespace mini::sources
