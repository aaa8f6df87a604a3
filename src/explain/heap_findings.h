// What stands out in a heap profile, in words: a conclusion, its evidence, and what to do about it.
// Pure functions of the profile; the thresholds are constants in the source.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/heap_profile.h"

namespace mini::explain {

struct Finding {
  std::string_view kind;  // "temporary", "leak": a word for programs; docs/report-format.md has all
  std::string statement;  // one sentence
  std::string evidence;   // one sentence, of figures
  std::string advice;     // one sentence
  double weight = 0;      // what decides the order: mostly a share of the whole
};

/// The most important first; empty where nothing stands out.
std::vector<Finding> find_in_heap(const model::HeapProfile& profile);

/// "12.5 s", "340 ms", "1 min 20 s".
std::string format_duration(double ns);

/// What of a damaged file could not be read: "2 parts and 16 B besides".
std::string damage_text(const model::ProfileLosses& losses);

}  // namespace mini::explain
