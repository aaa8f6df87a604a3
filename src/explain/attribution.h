// Who made a call, read from its stack alone.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "model/cause.h"
#include "model/process.h"
#include "unwind/call_stack.h"

namespace mini::explain {

/// Views are of static storage or of the stack.
struct Attribution {
  model::Cause cause = model::Cause::kUnknown;
  std::string_view unknown_reason;  // kUnknown: why
  std::string_view wrapper;         // "sbrk", "mmap": what the caller called, where named
  std::string_view entry;           // kMalloc: "malloc", "operator new"; "" where not seen
  std::string_view service;         // of libc, on the caller's behalf: "stdio buffer", "locale"
  std::string_view runtime;         // kRuntime: "jemalloc"
  std::string_view library;         // kProgram: the library whose code it was; "" the executable
  std::string constructor;          // "libselinux.so.1 constructor", "… destructor"; may be empty
  bool musl = false;                // kMalloc: not glibc's
  bool thread_stack = false;        // by pthread_create
  bool at_run_time = false;         // kLoader: by dlopen and the like, not before the entry point
  std::optional<std::size_t> origin_frame;
  std::optional<model::Phase> phase;  // nullopt where the stack does not tell
};

Attribution attribute(const unwind::CallStack* stack, const model::Process& process);

}  // namespace mini::explain
