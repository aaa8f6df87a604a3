// Finds the separate debug file of a module.
#include "unwind/debug_file.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace mini::unwind {
namespace {

constexpr std::string_view kDebugDirectory = "/usr/lib/debug";

std::vector<std::string> candidate_paths(const ElfFile& module, const std::string& path) {
  const auto id = module.build_id();
  std::vector<std::string> paths{fmt::format("{}/.build-id/{:02x}/{:02x}.debug", kDebugDirectory,
                                             id[0], fmt::join(id.subspan(1), ""))};
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
  for (const std::string& candidate : candidate_paths(module, path)) {
    // The target's own first; then ours, for a container without debug files.
    for (const std::string& prefix : {root, std::string()}) {
      auto file = ElfFile::open(prefix + candidate);
      if (file && std::ranges::equal((*file)->build_id(), module.build_id()))
        return std::move(*file);
      if (root.empty()) break;
    }
  }
  return nullptr;
}

}  // namespace mini::unwind
