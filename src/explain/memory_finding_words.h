// How findings of an inspection are made and worded.
#pragma once

#include <fmt/format.h>
#include <string>
#include <vector>

#include "explain/memory_findings.h"

namespace mini::explain {

inline constexpr double kNoticeable = 0.05;  // a share of the resident memory
inline constexpr Bytes kWorthATry = kMiB;

inline double share_of(const model::Inspection& inspection, Bytes part) {
  const Bytes whole = inspection.resident.value_or(inspection.mapped);
  return whole == Bytes{} ? 0 : static_cast<double>(part.count) / static_cast<double>(whole.count);
}

inline std::string share_words(const model::Inspection& inspection, Bytes part) {
  return fmt::format("{:.0f}% of the {} memory", 100 * share_of(inspection, part),
                     inspection.resident ? "resident" : "mapped");
}

/// Appends what threads have in their caches, where that is much.
void find_cached(const model::Inspection& inspection, std::vector<Finding>& out);
/// Appends what most of the memory is, where that is blocks in use or nothing of malloc's.
void find_most(const model::Inspection& inspection, std::vector<Finding>& out);

}  // namespace mini::explain
