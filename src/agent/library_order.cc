#include "agent/library_order.h"

#include <cstdint>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "kernel/vm/library_functions.h"

#if defined(__aarch64__)
#include <sys/ifunc.h>
#endif

namespace mini::agent {
namespace {

using kernel::vm::FunctionName;
using kernel::vm::LibraryFunctions;

/// Where a symbol leads to: an indirect function is asked for another one, as the loader does.
void* address_of(const link_map& library, const ElfW(Sym) & symbol) {
  const ElfW(Addr) place = library.l_addr + symbol.st_value;
  if (ELF64_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) return reinterpret_cast<void*>(place);
#if defined(__aarch64__)
  const unsigned long features = ::getauxval(AT_HWCAP);
  const __ifunc_arg_t arguments{sizeof arguments, features, ::getauxval(AT_HWCAP2)};
  return reinterpret_cast<void* (*)(std::uint64_t, const __ifunc_arg_t*)>(place)(
      features | _IFUNC_ARG_HWCAP, &arguments);
#else
  return reinterpret_cast<void* (*)()>(place)();
#endif
}

bool is_ours(const link_map& library) {
  return library.l_ld == &_DYNAMIC[0];  // which is each library's own
}

}  // namespace

void* next_function(const char* name) {
  const FunctionName wanted(name);
  bool is_behind = false;
  for (const link_map* library = _r_debug.r_map; library != nullptr; library = library->l_next) {
    if (is_behind) {
      const ElfW(Sym)* const found = LibraryFunctions(library->l_addr, library->l_ld).find(wanted);
      if (found != nullptr) return address_of(*library, *found);
    }
    is_behind = is_behind || is_ours(*library);
  }
  return nullptr;
}

const char* own_path() {
  const link_map* library = _r_debug.r_map;
  while (library != nullptr && !is_ours(*library)) library = library->l_next;
  return library != nullptr ? library->l_name : "";
}

bool program_has_function(const char* name) {
  const link_map* const program = _r_debug.r_map;
  return program != nullptr &&
         LibraryFunctions(program->l_addr, program->l_ld).find(FunctionName(name)) != nullptr;
}

}  // namespace mini::agent
