// The modules of a running program as its loader lists them, in the order in which it searches
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "base/result.h"
#include "base/units.h"

namespace mini::inject {

struct LoadedModule {
  Address link_map;        // what dlopen gives as a handle
  std::uint64_t bias = 0;  // address in memory - address in the file
  Address dynamic;         // its dynamic section
  std::string path;        // as the loader has it; "" for the program itself
  friend bool operator==(const LoadedModule&, const LoadedModule&) = default;
};

/// Whether the loader's entry for a module is where it was, and says the same. Not so where the
/// process has become another program.
bool is_still_loaded(const LoadedModule& module, const MemoryReader& memory);

/// The loader's list, found once (by DT_DEBUG of the program, which is there for debuggers). Not
/// that of namespaces that dlmopen made.
class LoaderList {
 public:
  /// Fails where the program has no loader (it is statically linked), or none that says its list,
  /// and where the kernel refuses to tell (error_number). `without_loader`: what cannot be, then.
  static Result<LoaderList> find(pid_t pid, const MemoryReader& memory,
                                 std::string_view without_loader);

  /// Empty where it cannot be read, or the loader is just changing it.
  std::vector<LoadedModule> read(const MemoryReader& memory) const;

 private:
  explicit LoaderList(Address debug) : debug_(debug) {}
  Address debug_;  // struct r_debug
};

}  // namespace mini::inject
