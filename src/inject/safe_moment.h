// Which thread of a stopped process may be borrowed for a call of dlopen: none that is inside the
// loader or the allocator, whose locks dlopen takes, or in the middle of becoming or ending
// something. Judged by call stacks alone; a decision record says why that is enough.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unwind/call_stack.h"

namespace mini::inject {

/// The parts of the process that a stack is judged by.
struct Landmarks {
  std::string loader;  // paths, as frames have them
  std::string c_library;
  std::vector<std::string> allocators;  // libraries that malloc comes from
};

enum class Moment : std::uint8_t {
  kGood,
  kInAllocator,
  kInLoader,
  kInLibrary,     // in code of the C library that we cannot judge, or that must not be interrupted
  kUnknownStack,  // nothing against it, but the outer part of the stack is not known
};

/// REQUIRES: `system_call` is what the thread is in, nullopt where it runs.
Moment judge(const unwind::CallStack& stack, const Landmarks& landmarks,
             std::optional<std::uint64_t> system_call);

/// "inside malloc", for a message about a thread.
std::string_view describe(Moment moment);

}  // namespace mini::inject
