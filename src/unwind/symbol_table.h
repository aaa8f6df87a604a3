// The functions of one symbol table, found by address; its symbols, found by name.
#pragma once

#include <cstdint>
#include <libelf.h>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "unwind/elf_file.h"

namespace mini::unwind {

struct Symbol {
  std::uint64_t address = 0;
  std::string_view name;  // as in the table; lives as long as the ELF file
};

class SymbolTable {
 public:
  enum class Kind : std::uint8_t {
    kStatic,   // .symtab: complete, so a function without a size reaches to the next symbol
    kDynamic,  // .dynsym: exports only, so an address belongs to a symbol only by its size
  };

  /// Empty where the file has no such table. `file` must outlive the table.
  SymbolTable(const ElfFile& file, Kind kind);

  bool empty() const { return sized_.empty() && unsized_.empty(); }

  /// The function that `address` is in; the innermost one where they nest. Never the nearest.
  std::optional<Symbol> function_at(std::uint64_t address) const;
  /// A function or datum by its name, without version.
  std::optional<std::uint64_t> address_of(std::string_view name) const;

 private:
  // A name is read when it is asked for: most never are, and reading all takes longer than the
  // rest.
  using Name = std::uint32_t;  // where it is among the table's strings
  struct Entry {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t furthest_end = 0;  // of this and all entries before it
    std::uint32_t first_name = 0;    // in names_
    std::uint32_t names_count = 0;   // of one function; at least 1
  };
  struct Candidate;

  void keep_functions(std::vector<Candidate> candidates,
                      const std::vector<std::uint64_t>& section_ends);
  void add_names(std::span<const Candidate> aliases, Entry* entry);
  std::string_view text_of(Name name) const;
  std::optional<Symbol> named(const Entry& entry) const;

  const ElfFile& file_;
  Kind kind_;
  std::size_t strings_ = 0;  // the section of the names
  std::vector<Name> names_;
  std::vector<Entry> sized_;    // by begin, one for each
  std::vector<Entry> unsized_;  // by begin; end is the next symbol's begin or the section's end
};

/// Whether `a` is the better name of two for one function: fewer leading underscores, then shorter,
/// then first in the alphabet: malloc, not __libc_malloc; mmap, not mmap64 or __mmap.
bool is_better_alias(std::string_view a, std::string_view b);

}  // namespace mini::unwind
