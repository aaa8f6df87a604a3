// What changed from one recording to another, in words: which measure grew or shrank, by how much,
// and which place in the program it is from.
#pragma once

#include <vector>

#include "explain/heap_findings.h"
#include "explain/profile_diff.h"

namespace mini::explain {

/// The most important first; empty where nothing changed that is worth a word. docs/diff-format.md
/// lists the kinds.
std::vector<Finding> find_in_diff(const ProfileDiff& diff);

}  // namespace mini::explain
