// Finds the separate debug file of a module.
#pragma once

#include <memory>
#include <string>

#include "unwind/elf_file.h"

namespace mini::unwind {

/// The debug file of `module`, which the target knows as `path` under `root`: by build-id under
/// /usr/lib/debug, then by .gnu_debuglink beside the module, in .debug/ there, and under
/// /usr/lib/debug. Only a file with the module's own build-id is taken or, where the module has
/// none, one with the link's checksum, for which it is read whole. nullptr where there is none.
std::unique_ptr<ElfFile> find_debug_file(const ElfFile& module, const std::string& root,
                                         const std::string& path);

/// What `file` shares with others, by its .gnu_debugaltlink: where that says, beside `file` if it
/// is no whole path, under `root` and under ours, or by build-id under /usr/lib/debug. nullptr
/// where no file has the build-id that is named there.
std::unique_ptr<ElfFile> find_supplementary_file(const ElfFile& file, const std::string& root);

}  // namespace mini::unwind
