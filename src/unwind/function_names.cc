#include "unwind/function_names.h"

#include <algorithm>
#include <array>
#include <dwarf.h>
#include <optional>
#include <string_view>
#include <vector>

#include "unwind/demangle.h"

namespace mini::unwind {
namespace {

constexpr std::size_t kMaxSiblings = 1 << 20;
constexpr std::size_t kMaxNesting = 64;
constexpr std::size_t kMaxOrigins = 16;
constexpr std::size_t kMaxScopedNames = 1 << 16;  // that are kept

bool is_cplusplus(Dwarf_Die* unit) {
  static constexpr std::array<int, 6> kLanguages{DW_LANG_C_plus_plus,    DW_LANG_C_plus_plus_03,
                                                 DW_LANG_C_plus_plus_11, DW_LANG_C_plus_plus_14,
                                                 0x2b /* C++17 */,       0x2c /* C++20 */};
  return std::ranges::find(kLanguages, dwarf_srclang(unit)) != kLanguages.end();
}

/// Where a function was declared first: what was inlined refers to its abstract instance, and that
/// to its declaration in a class.
Dwarf_Die declaration_of(Dwarf_Die die) {
  for (std::size_t i = 0; i < kMaxOrigins; ++i) {
    Dwarf_Attribute attribute;
    Dwarf_Die origin;
    if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr &&
        dwarf_attr(&die, DW_AT_specification, &attribute) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&attribute, &origin) == nullptr) break;
    die = origin;
  }
  return die;
}

/// The child of *parent that `address`, where a DIE is in memory, is in or at: children lie after
/// their parent, and siblings after each other.
std::optional<Dwarf_Die> child_around(Dwarf_Die* parent, const void* address) {
  Dwarf_Die child;
  if (dwarf_child(parent, &child) != 0 || child.addr > address) return std::nullopt;
  for (std::size_t i = 0; i < kMaxSiblings && child.addr != address; ++i) {
    Dwarf_Die next;
    if (dwarf_siblingof(&child, &next) != 0 || next.addr <= child.addr || next.addr > address)
      break;
    child = next;
  }
  return child;
}

/// What a DIE is inside of, outermost first, without the unit; nothing where it is not found.
std::vector<Dwarf_Die> scopes_of(Dwarf_Die* unit, const Dwarf_Die& die) {
  std::vector<Dwarf_Die> scopes;
  Dwarf_Die parent = *unit;
  while (scopes.size() < kMaxNesting) {
    const auto child = child_around(&parent, die.addr);
    if (!child) break;
    if (child->addr == die.addr) return scopes;
    scopes.push_back(*child);
    parent = *child;
  }
  return {};
}

bool has_flag(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  bool flag = false;
  return dwarf_attr_integrate(die, name, &attribute) != nullptr &&
         dwarf_formflag(&attribute, &flag) == 0 && flag;
}

std::optional<std::string_view> text_of(Dwarf_Die* die, unsigned name,
                                        const SectionStrings& strings) {
  Dwarf_Attribute attribute;
  if (dwarf_attr_integrate(die, name, &attribute) == nullptr) return std::nullopt;
  const auto text = strings.text(dwarf_formstring(&attribute));
  return text && !text->empty() ? text : std::nullopt;
}

}  // namespace

std::string FunctionNames::of(Dwarf_Die* function) {
  return name_of(function, 0);
}

std::string FunctionNames::name_of(Dwarf_Die* function, std::size_t depth) {
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (const auto text = text_of(function, name, strings_)) return display_name(*text);
  }
  const auto text = text_of(function, DW_AT_name, strings_);
  if (!text) return "";
  // What other units can call under its plain name has C linkage.
  if (has_flag(function, DW_AT_external)) return display_name(*text);
  return scoped(declaration_of(*function), *text, depth);
}

std::string FunctionNames::scoped(Dwarf_Die function, std::string_view name, std::size_t depth) {
  const auto known = scoped_.find(function.addr);
  if (known != scoped_.end()) return known->second;
  std::string full;
  Dwarf_Die unit;
  if (dwarf_diecu(&function, &unit, nullptr, nullptr) != nullptr && is_cplusplus(&unit)) {
    std::vector<Dwarf_Die> scopes = scopes_of(&unit, function);
    const bool is_call = name.starts_with("operator()");
    // A function has a full name.
    for (Dwarf_Die& scope : scopes) {
      const std::string part = scope_name(&scope, is_call ? "{lambda}" : "{unnamed}", depth);
      if (part.empty()) continue;
      if (dwarf_tag(&scope) == DW_TAG_subprogram) full.clear();
      full.append(part).append("::");
    }
  }
  full = printable(full + display_name(name));
  if (scoped_.size() >= kMaxScopedNames) scoped_.clear();
  return scoped_[function.addr] = full;
}

std::string FunctionNames::scope_name(Dwarf_Die* scope, const char* unnamed_class,
                                      std::size_t depth) {
  constexpr std::size_t kMaxFunctions = 4;  // each in a class in the next
  const auto text = text_of(scope, DW_AT_name, strings_);
  switch (dwarf_tag(scope)) {
    case DW_TAG_namespace:
      return text ? printable(*text) : "(anonymous namespace)";
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return text ? printable(*text) : unnamed_class;
    case DW_TAG_subprogram:
      return depth < kMaxFunctions ? name_of(scope, depth + 1) : "";
    default:
      return "";
  }
}

}  // namespace mini::unwind
