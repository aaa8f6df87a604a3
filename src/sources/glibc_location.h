// Where a process's C library is among its mappings, and what there is to know before looking into
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/memory_reader.h"
#include "heaps/glibc.h"
#include "model/mapping.h"
#include "unwind/module_cache.h"

namespace mini::sources {

/// Whether a path is glibc's by its name: "libc.so.6", "libc-2.31.so".
bool is_libc_path(std::string_view path);

/// The data segment of `module`, its version (from `constants`: what of memory never changes) and,
/// where it has symbols, malloc's variables. REQUIRES: `mappings` by address. nullopt where the
/// module has no writable segment.
std::optional<heaps::GlibcHints> find_glibc_hints(const MemoryReader& constants,
                                                  const std::vector<model::Mapping>& mappings,
                                                  const std::string& module,
                                                  unwind::ModuleCache& modules,
                                                  const std::string& root, pid_t pid);

}  // namespace mini::sources
