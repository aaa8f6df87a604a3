// The functions that a loaded library offers by name, found in its tables in memory: without asking
// the loader, without a lock or the heap.
#pragma once

#include <cstdint>
#include <link.h>

namespace mini::kernel::vm {

/// A name and what the two kinds of tables find it by.
struct FunctionName {
  explicit FunctionName(const char* name);

  const char* text;
  std::uint32_t gnu_hash;
  std::uint32_t sysv_hash;
};

class LibraryFunctions {
 public:
  /// `bias`: what is added to the addresses in the library's file; `dynamic`: its dynamic section.
  LibraryFunctions(ElfW(Addr) bias, const ElfW(Dyn) * dynamic);
  /// As dl_iterate_phdr() tells of it.
  explicit LibraryFunctions(const dl_phdr_info& library);

  /// Null where there is none.
  const ElfW(Sym) * find(const FunctionName& name) const;

 private:
  const ElfW(Sym) * find_gnu(const FunctionName& name) const;
  const ElfW(Sym) * find_sysv(const FunctionName& name) const;
  bool is_offered(std::uint32_t number, const FunctionName& name) const;

  const ElfW(Sym) * symbols_ = nullptr;
  const char* names_ = nullptr;
  const std::uint32_t* gnu_hash_ = nullptr;
  const std::uint32_t* sysv_hash_ = nullptr;
  const std::uint16_t* versions_ = nullptr;  // null: all are one
};

}  // namespace mini::kernel::vm
