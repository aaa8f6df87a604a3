// The libraries that a program's or a library's file asks the loader for.
#pragma once

#include <string>
#include <vector>

#include "unwind/elf_file.h"

namespace mini::unwind {

/// In the file's order, as it names them: "libc.so.6".
std::vector<std::string> needed_libraries(const ElfFile& file);

}  // namespace mini::unwind
