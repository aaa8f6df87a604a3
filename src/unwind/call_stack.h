// Call stacks as the rest of heapspy sees them: resolved frames, innermost first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"

namespace mini::unwind {

/// Where a function's name comes from; kNone means that we do not know it and say so.
enum class NameSource : std::uint8_t {
  kNone,           // no symbol covers the address: never the nearest one
  kSymbolTable,    // of the module itself: .symtab, or what it carries packed
  kDynamicSymbol,  // .dynsym; only where the symbol's own size covers the address
  kDebugFile,      // separate debug file found by build-id or debug link
  kBuildIdTable,   // our table of libc's internal functions, by build-id
};

struct Frame {
  Address pc;                         // innermost: the instruction; else the return address
  std::string module;                 // path as the kernel names it, "[vdso]", "" for no file
  std::uint64_t module_offset = 0;    // address in the ELF file's own numbering, for addr2line
  std::string function;               // demangled; "" where unknown
  std::uint64_t function_offset = 0;  // from the function's start; 0 where unknown
  std::string file;                   // source file from DWARF; "" where unknown
  std::uint32_t line = 0;             // 0 where unknown
  bool inlined = false;               // this frame's code is inlined into the next frame's
  NameSource name_source = NameSource::kNone;
};

/// Why a stack ends where it does. Anything but kComplete is counted and shown.
enum class StackEnd : std::uint8_t {
  kComplete,      // the outermost frame: CFI says that there is no caller
  kNoUnwindInfo,  // code without CFI and without a usable frame pointer (JIT)
  kUnreadable,    // the target's stack could not be read
  kDepthLimit,    // more frames than the caller asked for
  kNoProgress,    // the next frame would not be further out: a loop or corrupt data
};

struct CallStack {
  std::vector<Frame> frames;
  StackEnd end = StackEnd::kComplete;
};

/// Interned: equal stacks of one address space share one object, so comparing pointers is cheap
/// (but unequal pointers may still be equal stacks). Immutable, hence safe to share.
using CallStackRef = std::shared_ptr<const CallStack>;

}  // namespace mini::unwind
