#include "sources/glibc_location.h"

#include "base/text.h"
#include "sources/program_image.h"

namespace mini::sources {
namespace {

using model::Mapping;

// The writable part of the module with the anonymous mapping behind it, its bss.
AddressRange data_of(const std::vector<Mapping>& mappings, const std::string& module) {
  AddressRange data;
  for (const Mapping& mapping : mappings) {
    const bool ours = mapping.path == module && mapping.protection.write;
    const bool bss = !data.empty() && mapping.range.begin == data.end && mapping.protection.write &&
                     mapping.path.empty();
    if (ours && data.empty()) data = mapping.range;
    if ((ours || bss) && mapping.range.begin == data.end) data.end = mapping.range.end;
  }
  return data;
}

std::string version_of(const MemoryReader& memory, const std::vector<Mapping>& mappings,
                       const std::string& module) {
  for (const Mapping& mapping : mappings) {
    if (mapping.path != module || mapping.protection.write || mapping.protection.execute) continue;
    if (std::string version = heaps::find_glibc_version(memory, mapping.range); !version.empty()) {
      return version;
    }
  }
  return "";
}

}  // namespace

bool is_libc_path(std::string_view path) {
  const std::string_view name = path_basename(path);
  return name.starts_with("libc.so.") || name.starts_with("libc-2.");
}

std::optional<heaps::GlibcHints> find_glibc_hints(const MemoryReader& constants,
                                                  const std::vector<Mapping>& mappings,
                                                  const std::string& module,
                                                  unwind::ModuleCache& modules,
                                                  const std::string& root, pid_t pid) {
  heaps::GlibcHints hints;
  hints.data = data_of(mappings, module);
  if (hints.data.empty()) return std::nullopt;
  hints.version = version_of(constants, mappings, module);
  for (const Mapping& mapping : mappings) {
    if (mapping.path != module || !is_code(mapping)) continue;
    const unwind::ModuleMapping code = to_module(mapping, pid);
    hints.main_arena = unwind::find_symbol(modules, code, root, "main_arena");
    hints.mp = unwind::find_symbol(modules, code, root, "mp_");
    break;
  }
  return hints;
}

}  // namespace mini::sources
