// Strings that libdw hands out, checked to end inside the section they are in: libdw does not, so a
// string at the end of a hostile section would run on into our own memory.
#pragma once

#include <elfutils/libdw.h>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mini::unwind {

class SectionStrings {
 public:
  /// The sections of `dwarf` and of its supplementary file, which may be null. REQUIRES: they
  /// outlive this.
  SectionStrings(Dwarf* dwarf, Dwarf* supplementary);

  /// Whether the string sections end with the end of a string, as libdw takes for granted when it
  /// reads the names of a line table.
  bool string_sections_end() const { return string_sections_end_; }

  /// The text at `string`; nullopt where it is null, in none of the sections, or without an end.
  std::optional<std::string_view> text(const char* string) const;

 private:
  void add(Dwarf* dwarf);

  std::vector<std::span<const char>> sections_;
  bool string_sections_end_ = true;
};

}  // namespace mini::unwind
