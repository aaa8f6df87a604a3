// So the list is kept in one place, src/agent/exports.map.
#include "inject/agent_functions.h"

#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <string_view>

#include "unwind/elf_file.h"
#include "wire/attach.h"

namespace mini::inject {

Result<std::vector<std::string>> read_agent_functions(const std::string& path) {
  const auto file = unwind::ElfFile::open(path);
  if (!file) return std::unexpected(file.error());
  std::vector<std::string> names;
  bool can_attach = false;
  Elf_Scn* const section = (*file)->section(".dynsym");
  GElf_Shdr header{};
  Elf_Data* const data = section != nullptr ? elf_getdata(section, nullptr) : nullptr;
  if (data != nullptr && gelf_getshdr(section, &header) != nullptr && header.sh_entsize != 0) {
    const auto count = static_cast<int>(data->d_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
      GElf_Sym symbol{};
      if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
      if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
      const char* const name = elf_strptr((*file)->elf(), header.sh_link, symbol.st_name);
      if (name == nullptr) continue;
      if (std::string_view(name) == wire::kAttachFunction) {
        can_attach = true;
      } else {
        names.emplace_back(name);
      }
    }
  }
  if (can_attach) return names;
  return fail(fmt::format("'{}' is no agent that this heapspy can attach", path));
}

}  // namespace mini::inject
