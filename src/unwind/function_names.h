// Names of functions, from DWARF.
#pragma once

#include <elfutils/libdw.h>
#include <string>
#include <unordered_map>

#include "unwind/section_strings.h"

namespace mini::unwind {

/// Not thread-safe.
class FunctionNames {
 public:
  /// REQUIRES: `strings` outlives this.
  explicit FunctionNames(const SectionStrings& strings) : strings_(strings) {}

  /// Demangled; "" where DWARF has no name. Of C++ functions that have none for the linker, as
  /// GCC's in namespaces without a name, of local classes and lambdas, with the scopes around them:
  /// "app::(anonymous namespace)::Cache::put", "main::{lambda}::operator()".
  std::string of(Dwarf_Die* function);

 private:
  std::string scoped(Dwarf_Die function, std::string_view name, std::size_t depth);
  std::string name_of(Dwarf_Die* function, std::size_t depth);
  std::string scope_name(Dwarf_Die* scope, const char* unnamed_class, std::size_t depth);

  const SectionStrings& strings_;
  std::unordered_map<const void*, std::string> scoped_;  // by where the declaration is in memory
};

}  // namespace mini::unwind
