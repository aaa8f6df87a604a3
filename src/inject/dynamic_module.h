// What a loaded module defines for others, and what it takes from others: its dynamic section, read
// from the memory of the target.
#pragma once

#include <cstdint>
#include <elf.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_reader.h"
#include "base/units.h"
#include "inject/loaded_modules.h"

namespace mini::inject {

/// A word of a module that holds a function's address since it was linked.
struct Import {
  Address slot;
  std::string name;
  // Used for calls of another module's function alone: it may hold a stub that has yet to look it
  // up.
  bool may_be_stub = false;
};

class DynamicModule {
 public:
  /// nullopt where it has no dynamic section that makes sense.
  static std::optional<DynamicModule> read(const LoadedModule& module, const MemoryReader& memory);

  /// The address of a function or datum that it offers to who is linked with it now: not of one
  /// that it only refers to, nor of one for programs of an older library.
  std::optional<Address> definition(std::string_view name, const MemoryReader& memory) const;

  /// Its imports of the names that are wanted. What it defines itself as well it may bind to its
  /// own.
  std::vector<Import> imports(const std::function<bool(std::string_view)>& is_wanted,
                              const MemoryReader& memory) const;

 private:
  struct Table {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
  };

  // Returns the table of strings.
  Table find_tables(const LoadedModule& module, const MemoryReader& memory);
  std::string name_of(const Elf64_Sym& symbol) const;
  void add_imports(const Table& relocations, const std::function<bool(std::string_view)>& is_wanted,
                   const MemoryReader& memory, std::vector<Import>& out) const;
  std::optional<Address> look_up_gnu(std::string_view name, const MemoryReader& memory) const;
  std::optional<Address> look_up_sysv(std::string_view name, const MemoryReader& memory) const;
  bool is_definition(std::uint64_t index, std::string_view name, const MemoryReader& memory,
                     Address* found) const;

  std::uint64_t bias_ = 0;
  std::uint64_t symbols_ = 0;
  std::uint64_t gnu_hash_ = 0;
  std::uint64_t sysv_hash_ = 0;
  std::uint64_t versions_ = 0;
  Table calls_;      // DT_JMPREL
  Table addresses_;  // DT_RELA
  std::string strings_;
};

}  // namespace mini::inject
