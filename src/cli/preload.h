// Whether a program can be given another malloc by LD_PRELOAD, and the library to give it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace mini::cli {

/// The library that belongs to this heapspy: beside it in a build tree or in an installation.
Result<std::string> find_own_library();

/// Why the loader would ignore LD_PRELOAD for a program that can be executed: "is statically
/// linked, …"; nullopt where it would not, or it cannot be told. A script is what its interpreter
/// is.
std::optional<std::string> why_not_preloaded(const std::string& path);

/// LD_PRELOAD with a library added after what is there: libraries that wrap malloc come first.
/// Fails where the path has a character that the list cannot hold.
Result<std::string> preload_list(const char* before, const std::string& library);

}  // namespace mini::cli
