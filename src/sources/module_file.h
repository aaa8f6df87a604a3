// The file of a module that a recorded process has loaded, opened for the names of its functions.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "recording/event.h"
#include "unwind/module_cache.h"

namespace mini::sources {

/// As recordings have it: lower-case hexadecimal; "" where the file has none.
std::string build_id_text(const unwind::ElfFile& file);

/// What a return address of the file means in the source, as recordings have it.
std::vector<recording::SourceFrame> source_frames(unwind::Module& module, std::uint64_t address);

/// What a process has loaded, as its agent told.
struct LoadedFile {
  std::string path;
  Address begin;         // where it is mapped
  std::string build_id;  // lower-case hexadecimal; "" where it has none
};

/// Opens it in the cache: by its path, or, where that leads to no file, as of a memfd, of a mount
/// without a place or of what was deleted since, by what the kernel has mapped there. Its path is
/// "" where there is none.
unwind::ModuleMapping open_module_file(unwind::ModuleCache& modules, pid_t pid,
                                       const LoadedFile& file);

}  // namespace mini::sources
