// Which language runtime an executable was linked with, as its own ELF notes say: a stripped Go
// program has no symbol left that would tell.
#pragma once

#include <cstdint>
#include <string>

#include "base/memory_reader.h"
#include "base/units.h"

namespace mini::sources {

/// "Go runtime", or "" where no note says so. `headers` and `headers_count` are AT_PHDR and
/// AT_PHNUM of the process; everything behind them is the target's word and read within bounds.
std::string find_runtime(const MemoryReader& memory, Address headers, std::uint64_t headers_count);

}  // namespace mini::sources
