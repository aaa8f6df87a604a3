// What the loader itself says of a code address, without a lock.
//
// glibc 2.35 and later keep an index for the unwinders of exceptions: _dl_find_object() may be
// called anywhere, signal handlers and the loader's own calls of malloc included, and knows a
// module from before its first instruction runs until no instruction of it can run any more. Where
// it is missing, there is only what the last refresh() found.
#pragma once

#include <cstdint>

#include "unwind/self/module_table.h"

namespace mini::unwind::self {

enum class LoaderAnswer : std::uint8_t {
  kNoIndex,     // an older glibc, another C library
  kNotAModule,  // or one that the index does not have
  kModule,
};

/// For kModule: where its .eh_frame_hdr is (0: it has none), and the module's begin in memory.
struct LoaderObject {
  std::uintptr_t frames_header = 0;
  std::uintptr_t map_begin = 0;
  std::uintptr_t map_end = 0;
  std::uintptr_t bias = 0;
  const void* entry = nullptr;  // the loader's own of it
  const char* path = "";        // as the loader has it, which keeps it as long as the module
};

LoaderAnswer ask_loader_index(std::uintptr_t pc, LoaderObject* object);

inline bool loader_index_knows(std::uintptr_t pc) {
  LoaderObject object;
  return ask_loader_index(pc, &object) == LoaderAnswer::kModule;
}

/// Describes a module that no refresh() has seen yet by its ELF header, where its first segment
/// begins with one.
bool describe_mapped_module(const LoaderObject& object, Module* module);

}  // namespace mini::unwind::self
