// glibc's _dl_find_object(), where there is one at run time.
#include "unwind/self/loader_index.h"

#include <cstring>
#include <dlfcn.h>
#include <link.h>

#if defined(DLFO_STRUCT_HAS_EH_DBASE)
// Weak: the library that this ends up in is to load on a C library without it.
extern "C" int _dl_find_object(void*, dl_find_object*) noexcept __attribute__((weak));
#endif

namespace mini::unwind::self {

#if defined(DLFO_STRUCT_HAS_EH_DBASE)

LoaderAnswer ask_loader_index(std::uintptr_t pc, LoaderObject* object) {
  if (&_dl_find_object == nullptr) return LoaderAnswer::kNoIndex;
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) return LoaderAnswer::kNotAModule;
  object->frames_header = reinterpret_cast<std::uintptr_t>(found.dlfo_eh_frame);
  object->map_begin = reinterpret_cast<std::uintptr_t>(found.dlfo_map_start);
  object->map_end = reinterpret_cast<std::uintptr_t>(found.dlfo_map_end);
  object->entry = found.dlfo_link_map;
  object->bias = found.dlfo_link_map->l_addr;
  object->path = found.dlfo_link_map->l_name;
  return LoaderAnswer::kModule;
}

#else

LoaderAnswer ask_loader_index(std::uintptr_t, LoaderObject*) {
  return LoaderAnswer::kNoIndex;
}

#endif

bool describe_mapped_module(const LoaderObject& object, Module* module) {
  ByteCursor bytes({object.map_begin, object.map_end});
  const auto header = bytes.take<ElfW(Ehdr)>();
  if (!bytes.ok() || std::memcmp(&header.e_ident[0], ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phoff % alignof(ElfW(Phdr)) != 0) {
    return false;
  }
  ByteCursor at_headers({object.map_begin, object.map_end});
  at_headers.skip(header.e_phoff);
  const ByteRange headers =
      at_headers.take_range(std::uint64_t{header.e_phnum} * sizeof(ElfW(Phdr)));
  return at_headers.ok() && describe_module(reinterpret_cast<const ElfW(Phdr)*>(headers.begin),
                                            header.e_phnum, object.bias, module);
}

}  // namespace mini::unwind::self
