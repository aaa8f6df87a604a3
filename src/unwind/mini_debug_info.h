// MiniDebugInfo: the names of a stripped file's internal functions, which it carries packed in a
// section of its own, as programs of Fedora and its kin do.
#pragma once

#include <memory>

#include "unwind/elf_file.h"

namespace mini::unwind {

/// What .gnu_debugdata of `module` has: an ELF file of symbols that are not in its .dynsym. nullptr
/// where there is none, or it makes no sense.
std::unique_ptr<ElfFile> unpack_mini_debug_info(const ElfFile& module);

}  // namespace mini::unwind
