// Has a running process call one of its own functions.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

#include "base/result.h"

namespace mini::inject {

struct FunctionCall {
  std::string function;        // by name, as a program that is loaded last would find it
  std::uint64_t argument = 0;  // its only one
};

/// What it returns, an int. The process is stopped only until one of its threads can be borrowed,
/// and that thread only until it has come back; heapspy may die at any time. Fails where no thread
/// is at a good moment within some seconds, or the process ends.
Result<std::int32_t> call_function(pid_t pid, const FunctionCall& call);

}  // namespace mini::inject
