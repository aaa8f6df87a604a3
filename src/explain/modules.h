// What kind of code a frame's module holds: the program, its libraries, libc, the loader, another
// allocator or runtime. By name, from a table; the address space is not asked.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/process.h"

namespace mini::explain {

enum class ModuleKind : std::uint8_t {
  kNone,  // no file: code made at run time
  kExecutable,
  kLibrary,
  kLibc,    // and what glibc once kept in files of their own (libpthread, libdl)
  kLoader,  // musl's is its libc too: see kMusl
  kMusl,
  kRuntime,  // another allocator or a language's runtime
  kKernel,   // the vdso
};

struct Module {
  ModuleKind kind = ModuleKind::kNone;
  std::string_view runtime;  // "jemalloc", "HotSpot": kRuntime only
};

/// heapspy's own, in a program that is recorded.
bool is_agent_file(std::string_view path);
/// The same, or memory that its agent shares with the recorder.
bool is_of_agent(std::string_view path);

Module classify_module(std::string_view path, const model::Process& process);

/// Another allocator or runtime linked into the executable or a library is known by its functions'
/// names: "jemalloc" of "je_pages_map", "" of anything else.
std::string_view runtime_of_function(std::string_view function);
/// The same of an allocator alone: "" of a language's runtime too.
std::string_view allocator_of_function(std::string_view function);

}  // namespace mini::explain
