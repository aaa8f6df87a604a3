// DT_NEEDED.
#include "unwind/needed_libraries.h"

#include <algorithm>
#include <cstdint>
#include <elf.h>
#include <gelf.h>

namespace mini::unwind {

std::vector<std::string> needed_libraries(const ElfFile& file) {
  std::vector<std::string> names;
  Elf_Scn* const section = file.section(".dynamic");
  GElf_Shdr header;
  if (section == nullptr || gelf_getshdr(section, &header) == nullptr) return names;
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return names;
  const auto count =
      static_cast<int>(std::min<std::uint64_t>(data->d_size / sizeof(Elf64_Dyn), 1U << 20));
  for (int i = 0; i < count; ++i) {
    GElf_Dyn entry;
    if (gelf_getdyn(data, i, &entry) == nullptr || entry.d_tag == DT_NULL) break;
    if (entry.d_tag != DT_NEEDED) continue;
    const char* const name = elf_strptr(file.elf(), header.sh_link, entry.d_un.d_val);
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

}  // namespace mini::unwind
