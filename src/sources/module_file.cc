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

/// By the links of the kernel: all of map_files are root's only, "exe" is whoever's the process is.
std::shared_ptr<unwind::Module> open_mapped(unwind::ModuleCache& modules, pid_t pid,
                                            const unwind::ModuleMapping& mapping) {
  const std::string folder = kernel::process_folder(pid);
  auto module = modules.open(mapping, folder + "/root");
  if (module != nullptr) return module;
  unwind::ModuleMapping program = mapping;
  program.path = "/exe";
  return modules.open(program, folder);
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
             .inode = mapped->inode};
  const auto module = open_mapped(modules, pid, mapping);
  // The process may have become another program since it told.
  if (module == nullptr || hexadecimal(module->file().build_id()) != file.build_id) {
    mapping.path.clear();
  }
  return mapping;
}

}  // namespace mini::sources
