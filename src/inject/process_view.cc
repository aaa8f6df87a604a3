#include "inject/process_view.h"

#include <algorithm>
#include <fmt/format.h>

#include "inject/dynamic_module.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"

namespace mini::inject {

Result<ProcessView> ProcessView::read(pid_t pid, const LoaderList& list,
                                      const MemoryReader& memory) {
  ProcessView view;
  view.modules_ = list.read(memory);
  if (view.modules_.empty()) {
    return fail(fmt::format("the loader of process {} is changing its list", pid));
  }
  auto maps = kernel::read_maps(pid);
  if (!maps) return std::unexpected(maps.error());
  view.maps_ = std::move(*maps);
  const kernel::AuxiliaryVector auxv = kernel::read_auxv(pid);
  // Of a loader that was started itself, what the kernel calls the program.
  view.loader_base_ = auxv.base.value != 0 ? auxv.base : auxv.headers;
  return view;
}

const kernel::MapsEntry* ProcessView::mapping_at(Address address) const {
  const auto after = std::ranges::upper_bound(
      maps_, address, {}, [](const kernel::MapsEntry& entry) { return entry.range.begin; });
  if (after == maps_.begin()) return nullptr;
  const kernel::MapsEntry& found = *std::prev(after);
  return found.range.contains(address) ? &found : nullptr;
}

std::string ProcessView::path_at(Address address) const {
  const kernel::MapsEntry* const mapping = mapping_at(address);
  return mapping != nullptr ? mapping->path : "";
}

bool ProcessView::is_code_of(const LoadedModule& module, Address address) const {
  const kernel::MapsEntry* const own = mapping_at(module.dynamic);
  const kernel::MapsEntry* const other = mapping_at(address);
  return own != nullptr && other != nullptr && other->execute && own->inode != 0 &&
         own->inode == other->inode && own->device == other->device;
}

std::vector<unwind::ModuleMapping> ProcessView::code(pid_t pid) const {
  std::vector<unwind::ModuleMapping> code;
  for (const kernel::MapsEntry& entry : maps_) {
    if (!entry.execute || !(entry.path.starts_with('/') || entry.path == "[vdso]")) continue;
    code.push_back({.range = entry.range,
                    .file_offset = entry.file_offset,
                    .path = entry.path,
                    .device = entry.device,
                    .inode = entry.inode,
                    .links = kernel::links_to_mapped(pid, entry.range)});
  }
  return code;
}

Landmarks ProcessView::landmarks(const MemoryReader& memory) const {
  Landmarks out;
  out.loader = path_at(loader_base_);
  if (const auto c_library = find_definition("__errno_location", modules_, memory)) {
    out.c_library = path_at(*c_library);
  }
  for (const LoadedModule& module : modules_) {
    const auto dynamic = DynamicModule::read(module, memory);
    // All of a library that has malloc is taken for the allocator; of the program, what is called
    // so.
    if (module.path.empty() || !dynamic || !dynamic->definition("malloc", memory)) continue;
    std::string path = path_at(module.dynamic);
    if (path != out.c_library && path != out.loader) out.allocators.push_back(std::move(path));
  }
  return out;
}

std::optional<Address> find_definition(std::string_view name,
                                       const std::vector<LoadedModule>& modules,
                                       const MemoryReader& memory) {
  for (const LoadedModule& module : modules) {
    const auto dynamic = DynamicModule::read(module, memory);
    const auto found = dynamic ? dynamic->definition(name, memory) : std::nullopt;
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace mini::inject
