#include "base/elf_image.h"

#include <cstring>
#include <span>

namespace mini {
namespace {

constexpr std::uint16_t kMostSegments = 256;  // real files have a dozen

}  // namespace

std::optional<ElfImage> read_elf_image(const MemoryReader& memory, Address image) {
  const auto header = memory.read_object<Elf64_Ehdr>(image);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_phentsize != sizeof(Elf64_Phdr) ||
      header->e_phnum > kMostSegments) {
    return std::nullopt;
  }
  ElfImage found{.bias = image.value, .segments = std::vector<Elf64_Phdr>(header->e_phnum)};
  const auto bytes = std::as_writable_bytes(std::span(found.segments));
  if (memory.read(image + Bytes{header->e_phoff}, bytes) != bytes.size()) return std::nullopt;
  for (const Elf64_Phdr& segment : found.segments) {
    if (segment.p_type == PT_LOAD && segment.p_offset == 0) {
      found.bias = image.value - segment.p_vaddr;
    }
  }
  return found;
}

}  // namespace mini
