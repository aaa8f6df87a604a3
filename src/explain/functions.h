// What functions of the C library, its loader and start-up code stand for in a stack.
#pragma once

#include <cstdint>
#include <string_view>

namespace mini::explain {

enum class Duty : std::uint8_t {
  kNone,
  kWrapper,       // brk, mmap: makes the system call for whoever called it
  kMallocEntry,   // label: the entry's name
  kMallocPart,    // of glibc's allocator, never called from outside
  kService,       // does something else with memory; label: what
  kStdio,         // reads or writes a stream, which may need a buffer
  kThreadStack,   // makes a thread and its stack
  kDlopen,        // loads or unloads at run time; label: "dlopen", "dlclose"
  kLoaderPart,    // of the loader, in the loader or in a static program
  kLibcStart,     // runs before main
  kConstructors,  // calls constructors
  kExit,          // ends the process
  kThreadRoot,    // the outermost function of a thread, and what ends it
  kMainCaller,    // only ever calls main
};

struct FunctionFact {
  std::string_view name;
  Duty duty = Duty::kNone;
  std::string_view label;
};

/// What is known of a function of libc or the loader, by its name with or without the decorations
/// glibc and the compiler add ("__GI___libc_malloc", "dl_main.cold"); nullptr where nothing is.
const FunctionFact* find_function(std::string_view name);

/// Without decorations: "__libc_malloc" of "__GI___libc_malloc", "printf" of "printf@@GLIBC_2.2.5".
std::string_view plain_name(std::string_view function);

/// Code that the linker adds to every program, which is nobody's own: _start, frame_dummy.
bool is_start_file_code(std::string_view function);

}  // namespace mini::explain
