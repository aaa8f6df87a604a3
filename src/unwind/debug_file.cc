// Finds the separate debug file of a module.
#include "unwind/debug_file.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <vector>

namespace mini::unwind {
namespace {

constexpr std::string_view kDebugDirectory = "/usr/lib/debug";

std::string path_by_id(std::span<const std::uint8_t> id) {
  return fmt::format("{}/.build-id/{:02x}/{:02x}.debug", kDebugDirectory, id[0],
                     fmt::join(id.subspan(1), ""));
}

/// A path of the target's: its own file first; then ours, for a container without debug files.
void add_place(std::vector<std::string>& places, const std::string& root, const std::string& path) {
  places.push_back(root + path);
  if (!root.empty()) places.push_back(path);
}

/// The file at the first place that has the right one.
template <typename IsRight>
std::unique_ptr<ElfFile> open_first(const std::vector<std::string>& places, ElfFile::Kind kind,
                                    IsRight is_right) {
  for (const std::string& place : places) {
    auto file = ElfFile::open(place, {}, kind);
    if (file && is_right(**file)) return std::move(*file);
  }
  return nullptr;
}

std::unique_ptr<ElfFile> open_by_id(const std::vector<std::string>& places,
                                    std::span<const std::uint8_t> id, ElfFile::Kind kind) {
  return open_first(places, kind,
                    [&](const ElfFile& file) { return std::ranges::equal(file.build_id(), id); });
}

std::unique_ptr<ElfFile> open_by_checksum(const std::vector<std::string>& places,
                                          std::uint32_t checksum) {
  return open_first(places, ElfFile::Kind::kLoadable,
                    [&](const ElfFile& file) { return file.checksum() == checksum; });
}

}  // namespace

std::unique_ptr<ElfFile> find_debug_file(const ElfFile& module, const std::string& root,
                                         const std::string& path) {
  const bool has_id = module.build_id().size() >= 2;
  std::vector<std::string> places;
  if (has_id) add_place(places, root, path_by_id(module.build_id()));
  const auto link = module.debug_link();
  const std::size_t slash = path.rfind('/');
  if (link && slash != std::string::npos) {
    const std::string directory = path.substr(0, slash);
    add_place(places, root, fmt::format("{}/{}", directory, link->name));
    add_place(places, root, fmt::format("{}/.debug/{}", directory, link->name));
    add_place(places, root, fmt::format("{}{}/{}", kDebugDirectory, directory, link->name));
  }
  if (has_id) return open_by_id(places, module.build_id(), ElfFile::Kind::kLoadable);
  return link ? open_by_checksum(places, link->checksum) : nullptr;
}

std::unique_ptr<ElfFile> find_supplementary_file(const ElfFile& file, const std::string& root) {
  const auto link = file.supplementary_link();
  if (!link || link->build_id.size() < 2) return nullptr;
  std::vector<std::string> places;
  const std::size_t slash = file.path().rfind('/');
  if (link->path.starts_with('/')) {
    add_place(places, root, link->path);
  } else if (slash != std::string::npos) {
    places.push_back(file.path().substr(0, slash + 1) + link->path);  // the root's path is in it
  }
  add_place(places, root, path_by_id(link->build_id));
  return open_by_id(places, link->build_id, ElfFile::Kind::kAny);
}

}  // namespace mini::unwind
