#include "sources/module_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"

namespace mini::sources {

std::string build_id_text(const unwind::ElfFile& file) {
  return fmt::format("{:02x}", fmt::join(file.build_id(), ""));
}

std::vector<recording::SourceFrame> source_frames(unwind::Module& module, std::uint64_t address) {
  std::vector<recording::SourceFrame> sources;
  for (const unwind::Frame& frame : module.resolve(address, false)) {
    sources.push_back({.function = frame.function,
                       .file = frame.file,
                       .line = frame.line,
                       .inlined = frame.inlined});
  }
  return sources;
}

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
  if (module == nullptr || build_id_text(module->file()) != file.build_id) {
    mapping.path.clear();
  }
  return mapping;
}

}  // namespace mini::sources
