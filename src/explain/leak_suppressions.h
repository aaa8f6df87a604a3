// Leaks that a person has said are all right: the suppression files of LeakSanitizer, applied to a
// heap profile.
//
// A line is "leak:PATTERN"; blank lines and those that begin with # say nothing. A pattern matches
// a stack where it matches any of its functions (demangled), source files or modules: anywhere in
// the name, with * for any characters, ^ before the pattern for the name's begin and $ after it for
// its end.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/heap_profile.h"

namespace mini::explain {

/// The suppressions of a file's text, in their order; of `name` in errors, with the line's number.
Result<std::vector<model::LeakSuppression>> parse_leak_suppressions(std::string_view text,
                                                                    std::string_view name);

bool matches_suppression(std::string_view pattern, std::string_view name);

/// Counts what is live at the end, of each stack that a suppression matches, as suppressed: by the
/// first one that does. Fills in profile.suppressions.
void suppress_leaks(model::HeapProfile& profile, std::vector<model::LeakSuppression> suppressions);

}  // namespace mini::explain
