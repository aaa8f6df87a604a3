// Links words of prose to the glossary.
#pragma once

#include <string>
#include <string_view>

namespace mini::lab {

/// `html` with each term of the glossary linked at its first occurrence: whole words of its text,
/// not inside tags, code or links, the longest term that fits. A plural -s belongs to the word.
std::string link_terms(std::string_view html);

}  // namespace mini::lab
