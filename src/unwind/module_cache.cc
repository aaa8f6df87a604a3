// The ELF files of all processes of a trace, each opened once.
#include "unwind/module_cache.h"

#include <string_view>
#include <utility>

namespace mini::unwind {
namespace {

// Each file is a descriptor and its tables; a target that maps more than this gets no more names.
constexpr std::size_t kMaxFiles = 4096;
constexpr std::size_t kMaxImages = 16;
constexpr std::uint64_t kLargestImage = 64 * 1024;
constexpr std::string_view kDeleted = " (deleted)";

/// maps has \012 for each newline of a path, or where the path itself has these four characters.
std::string with_newlines(std::string path) {
  constexpr std::string_view kEscaped = "\\012";
  for (auto at = path.find(kEscaped); at != std::string::npos; at = path.find(kEscaped, at)) {
    path.replace(at, kEscaped.size(), "\n");
  }
  return path;
}

}  // namespace

std::shared_ptr<Module> ModuleCache::add(Result<std::unique_ptr<ElfFile>> file,
                                         const ModuleMapping& mapping, const std::string& root) {
  if (!file) {
    rejected_.insert({mapping.device, mapping.inode});
    return nullptr;
  }
  ++modules_count_;
  return std::make_shared<Module>(std::move(*file), root, mapping.path, options_);
}

std::shared_ptr<Module> ModuleCache::open(const ModuleMapping& mapping, const std::string& root) {
  const FileIdentity identity{mapping.device, mapping.inode};
  const auto known = files_.find(identity);
  if (known != files_.end()) return known->second;
  if (files_.size() >= kMaxFiles || mapping.path.empty() || mapping.path.front() != '/')
    return nullptr;
  Result<std::unique_ptr<ElfFile>> file = fail("deleted");
  if (!mapping.path.ends_with(kDeleted)) {
    file = ElfFile::open(root + mapping.path, identity);
    const std::string other = with_newlines(mapping.path);
    if (!file && other != mapping.path) file = ElfFile::open(root + other, identity);
  }
  for (const std::string& link : mapping.links) {
    if (!file) file = ElfFile::open(link, identity);
  }
  auto module = add(std::move(file), mapping, root);
  if (module != nullptr) files_.emplace(identity, module);
  return module;
}

std::shared_ptr<Module> ModuleCache::open_image(const ModuleMapping& mapping,
                                                const MemoryReader& memory) {
  const std::uint64_t size = std::min(mapping.range.size().count, kLargestImage);
  std::vector<std::byte> image(static_cast<std::size_t>(size));
  image.resize(memory.read(mapping.range.begin, image));
  for (const auto& [known, module] : images_) {
    if (known == image) return module;
  }
  if (images_.size() >= kMaxImages) return nullptr;
  auto module = add(ElfFile::from_memory(image), mapping, "");
  images_.emplace_back(std::move(image), module);
  return module;
}

}  // namespace mini::unwind
