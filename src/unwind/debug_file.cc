// Finds the separate debug file of a module.
#include "unwind/debug_file.h"

#include <algorithm>
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

/// The first of the paths that leads to a file of that build-id.
std::unique_ptr<ElfFile> open_by_id(const std::vector<std::string>& paths, const std::string& root,
                                    std::span<const std::uint8_t> id, ElfFile::Kind kind) {
  for (const std::string& path : paths) {
    // The target's own first; then ours, for a container without debug files.
    for (const std::string& prefix : {root, std::string()}) {
      auto file = ElfFile::open(prefix + path, {}, kind);
      if (file && std::ranges::equal((*file)->build_id(), id)) return std::move(*file);
      if (root.empty()) break;
    }
  }
  return nullptr;
}

std::vector<std::string> candidate_paths(const ElfFile& module, const std::string& path) {
  std::vector<std::string> paths{path_by_id(module.build_id())};
  const std::string link = module.debug_link();
  const std::size_t slash = path.rfind('/');
  if (link.empty() || slash == std::string::npos) return paths;
  const std::string directory = path.substr(0, slash);
  paths.push_back(fmt::format("{}/{}", directory, link));
  paths.push_back(fmt::format("{}/.debug/{}", directory, link));
  paths.push_back(fmt::format("{}{}/{}", kDebugDirectory, directory, link));
  return paths;
}

}  // namespace

std::unique_ptr<ElfFile> find_debug_file(const ElfFile& module, const std::string& root,
                                         const std::string& path) {
  if (module.build_id().size() < 2) return nullptr;
  return open_by_id(candidate_paths(module, path), root, module.build_id(),
                    ElfFile::Kind::kLoadable);
}

std::unique_ptr<ElfFile> find_supplementary_file(const ElfFile& file, const std::string& root) {
  const auto link = file.supplementary_link();
  if (!link || link->build_id.size() < 2) return nullptr;
  if (link->path.starts_with('/')) {
    return open_by_id({link->path, path_by_id(link->build_id)}, root, link->build_id,
                      ElfFile::Kind::kAny);
  }
  const std::size_t slash = file.path().rfind('/');
  if (slash != std::string::npos) {  // it has the root's path in it
    auto beside = open_by_id({file.path().substr(0, slash + 1) + link->path}, "", link->build_id,
                             ElfFile::Kind::kAny);
    if (beside != nullptr) return beside;
  }
  return open_by_id({path_by_id(link->build_id)}, root, link->build_id, ElfFile::Kind::kAny);
}

}  // namespace mini::unwind
