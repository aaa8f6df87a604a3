#include "sources/module_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"

namespace mini::sources {
namespace {

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

unwind::ModuleMapping open_module_file(unwind::ModuleCache& modules, pid_t pid,
                                       const LoadedFile& file) {
  unwind::ModuleMapping mapping;
  const std::string root = kernel::root_prefix(pid);
  struct stat status{};
  if (::stat((root + file.path).c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    mapping.path = file.path;
    mapping.device = status.st_dev;
    mapping.inode = status.st_ino;
    modules.open(mapping, root);
    return mapping;
  }
  const auto mapped = kernel::MapsQuery(pid).find(file.begin);
  if (!mapped || mapped->inode == 0) return mapping;
  mapping = {.range = mapped->range,
             .file_offset = mapped->file_offset,
             .path = mapped->path,
             .device = mapped->device,
             .inode = mapped->inode,
             .links = kernel::links_to_mapped(pid, mapped->range)};
  const auto module = modules.open(mapping, root);
  // The process may have become another program since it told.
  if (module == nullptr || hexadecimal(module->file().build_id()) != file.build_id) {
    mapping.path.clear();
  }
  return mapping;
}

}  // namespace mini::sources
