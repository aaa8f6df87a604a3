// docs/glossary.md.
#pragma once

#include <string_view>

namespace mini::lab {

extern const std::string_view kGlossaryText;

}  // namespace mini::lab
