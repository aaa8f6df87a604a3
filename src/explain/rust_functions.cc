#include "explain/rust_functions.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mini::explain {
namespace {

// hashbrown has the standard library's maps.
constexpr std::array<std::string_view, 5> kCrates = {"alloc", "core", "std", "hashbrown",
                                                     "__rustc"};

// What stands between the library and the program's allocator: "__rdl_alloc", "__rg_realloc".
constexpr std::array<std::string_view, 3> kShims = {"__rust_", "__rdl_", "__rg_"};

/// Functions of C++ end in their parameters and what may follow these; namespaces of theirs are
/// called core and alloc too.
bool is_of_cpp(std::string_view function) {
  static constexpr std::array<std::string_view, 6> kEnds = {")",         "]",  " const",
                                                            " volatile", " &", "&&"};
  return std::ranges::any_of(kEnds, [&](std::string_view end) { return function.ends_with(end); });
}

/// "core" of "core::option::Option<T>" and of "&dyn core::any::Any"; "" of what every crate has,
/// such as "u8", "[app::Name]" and a parameter "T".
std::string_view crate_of(std::string_view path) {
  static constexpr std::array<std::string_view, 6> kBefore = {"<",    "&",       "mut ",
                                                              "dyn ", "*const ", "*mut "};
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view before : kBefore) {
      if (!path.starts_with(before)) continue;
      path.remove_prefix(before.size());
      found = true;
    }
  }
  const std::size_t end = path.find_first_of(":<>[(,; ");
  const bool is_path = end != std::string_view::npos && path.substr(end).starts_with("::");
  return is_path ? path.substr(0, end) : std::string_view{};
}

bool is_of_library(std::string_view path) {
  return std::ranges::find(kCrates, crate_of(path)) != kCrates.end();
}

struct QualifiedSelf {
  std::string_view type;
  std::string_view trait;  // "" where it has none
};

/// Of "<type as trait>::function"; empty where the name is no such one, as GCC's "<lambda()>" is
/// not.
QualifiedSelf qualified_self(std::string_view function) {
  constexpr std::string_view kAs = " as ";
  std::size_t depth = 0;
  std::size_t as = std::string_view::npos;
  std::size_t i = 0;
  for (; i < function.size(); ++i) {
    const char c = function[i];
    const bool is_arrow = c == '>' && i > 0 && function[i - 1] == '-';
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if ((c == '>' && !is_arrow) || c == ')' || c == ']' || c == '}') --depth;
    if (depth == 0) break;
    if (depth == 1 && function.substr(i).starts_with(kAs)) as = i;
  }
  if (!function.substr(i).starts_with(">::")) return {};
  if (as == std::string_view::npos) return {.type = function.substr(1, i - 1), .trait = {}};
  return {.type = function.substr(1, as - 1),
          .trait = function.substr(as + kAs.size(), i - as - kAs.size())};
}

}  // namespace

bool is_rust_library_function(std::string_view function) {
  if (begins_with_any(function, kShims)) return true;
  if (is_of_cpp(function)) return false;
  if (!function.starts_with('<')) return is_of_library(function);
  const QualifiedSelf self = qualified_self(function);
  if (self.type.empty()) return false;
  const bool has_program_type = !crate_of(self.type).empty() && !is_of_library(self.type);
  if (has_program_type) return self.trait.starts_with("core::alloc::");
  // Only the library gives functions to types that are no crate's, with traits inside them.
  return self.trait.empty() || crate_of(self.trait).empty() || is_of_library(self.trait);
}

bool is_rust_library_file(std::string_view file) {
  if (!file.ends_with(".rs")) return false;
  static constexpr std::array<std::string_view, 2> kSources = {"/rustc", "/rustlib/src/rust"};
  return std::ranges::any_of(kSources, [file](std::string_view source) {
    const std::size_t at = file.find(source);
    return at != std::string_view::npos && file.find("/library/", at) != std::string_view::npos;
  });
}

}  // namespace mini::explain
