// The headers of an ELF file as it lies in a target's memory.
#pragma once

#include <cstdint>
#include <elf.h>
#include <optional>
#include <vector>

#include "base/memory_reader.h"

namespace mini {

struct ElfImage {
  std::uint64_t bias = 0;  // address in memory - address in the file, modulo 2^64
  std::vector<Elf64_Phdr> segments;
};

/// Of the file whose first page is at `image`. The headers may say anything: nullopt where they are
/// no 64-bit file's, or unreadable.
std::optional<ElfImage> read_elf_image(const MemoryReader& memory, Address image);

}  // namespace mini
