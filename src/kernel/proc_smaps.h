// /proc/PID/smaps: what of each mapping has memory, and the figures of the whole process beside it.
#pragma once

#include <optional>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "kernel/proc_maps.h"

namespace mini::kernel {

struct SmapsEntry {
  MapsEntry mapping;
  Bytes resident = {};  // "Rss"
  Bytes swapped = {};   // "Swap"
  Bytes huge = {};      // "AnonHugePages": of resident
};

std::vector<SmapsEntry> parse_smaps(std::string_view text);
Result<std::vector<SmapsEntry>> read_smaps(pid_t pid);

/// From /proc/PID/status, of the whole process.
struct ResidentFigures {
  Bytes resident;       // VmRSS
  Bytes peak_resident;  // VmHWM
  Bytes mapped;         // VmSize
  Bytes swapped;        // VmSwap
  Bytes page_tables;    // VmPTE
  Bytes pool_pages;     // HugetlbPages: in none of the others but VmSize
};
/// nullopt where there is no VmRSS: the process has no memory any more.
std::optional<ResidentFigures> parse_resident_figures(std::string_view status_text);
std::optional<ResidentFigures> read_resident_figures(pid_t pid);

}  // namespace mini::kernel
