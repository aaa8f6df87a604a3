// Whether the loader gives a program a library of ours by LD_PRELOAD, and where that library is.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace mini::cli {

/// A library of ours that is made to be preloaded.
struct OwnLibrary {
  const char* file;          // its file name
  const char* name;          // in messages
  const char* option;        // that names another one
  const char* build_folder;  // from heapspy's own folder in a build tree
  const char* function;      // what has none of that name is not chosen
};
extern const OwnLibrary kMinimalloc;
extern const OwnLibrary kAgent;

/// Its absolute path, since the program may change its folder before it starts another: the one
/// that was chosen, or else the one that belongs to this heapspy, in a build tree or in an
/// installation.
Result<std::string> choose_library(const OwnLibrary& library,
                                   const std::optional<std::string>& chosen);

/// The same; fails where the path has a character that LD_PRELOAD cannot hold.
Result<std::string> choose_preloaded_library(const OwnLibrary& library,
                                             const std::optional<std::string>& chosen);

/// Why the loader would ignore LD_PRELOAD for a program that can be executed: "is statically
/// linked, …"; nullopt where it would not, or it cannot be told. A script is what its interpreter
/// is.
std::optional<std::string> why_not_preloaded(const std::string& path, const OwnLibrary& library);

/// Whether heapspy can trace such a program, whatever can be preloaded into it.
bool is_traceable(const std::string& path);

/// What a program's own file says of the malloc that it will use: nothing of a script.
struct MallocChoice {
  // Whose shared runtime it needs, and which works with its own malloc alone: "AddressSanitizer".
  std::optional<std::string> sanitizer;
  bool has_own = false;  // which calls go to, whatever is preloaded
};
MallocChoice look_at_malloc(const std::string& path);

/// LD_PRELOAD with a library added after what is there: libraries that wrap malloc come first.
std::string preload_list(const char* before, const std::string& library);

}  // namespace mini::cli
