// Words and figures that the parts of a report share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "explain/profile_frames.h"
#include "explain/profile_ranking.h"
#include "model/heap_profile.h"

namespace mini::views {

std::string report_bytes(std::uint64_t n);
std::string report_time(std::uint64_t ns);
/// "45 MiB in 120 blocks".
std::string amount_text(model::Amount amount, std::string_view noun);
/// "10 of 1,200 stacks".
std::string shown_of(std::uint64_t shown, std::uint64_t all, std::string_view noun);
/// "12%".
std::string share_of(std::uint64_t part, std::uint64_t whole);

/// "peak live", "never freed": what a measure is called in headings; of a profile that ends before
/// its recording does, "not freed yet".
std::string_view measure_title(explain::Measure measure, bool ends_early = false);

/// Why there is nothing of a measure: "no stack has any", or that it is not known.
std::string_view why_nothing(const model::HeapProfile& profile, explain::Measure measure);
inline constexpr std::string_view kNotSampled = "not known, since the recording samples";
/// An amount of the measure: bytes or a count.
std::string measure_amount(explain::Measure measure, std::uint64_t amount);

/// 'heapspy report FILE', to be typed.
std::string report_command(const std::string& path);

/// "exit status 0", "killed by signal 11", "" where nobody knows.
std::string describe_ending(const model::HeapProfile& profile);
/// "prog (4711)".
std::string describe_process(const model::HeapProfile& profile);
/// "prog (4711), exit status 0".
std::string describe_profile(const model::HeapProfile& profile);

}  // namespace mini::views
