// Stacks of a heap profile by the place in the program that they lead to, which findings name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "explain/finding_words.h"
#include "model/heap_profile.h"

namespace mini::explain {

// malloc takes as much from the kernel at once: to have less saves nothing.
inline constexpr std::uint64_t kLittleBytes = 128U << 10U;

// Of all the time, as a divisor: what lasts no longer may be the program's cleaning up to end.
inline constexpr std::size_t kShortPart = 16;

/// All stacks with one place.
struct Place {
  std::string name;
  model::Amount allocated, temporary, leaked, unreachable, lost_indirectly, peak;
  std::uint64_t resized = 0;
  model::Amount outgrown, replaced;
  std::uint64_t live_pages = 0;
  std::uint64_t first_ns = UINT64_MAX;
  std::uint64_t last_ns = 0;
};

/// In the order of their names.
std::vector<Place> places_of(const model::HeapProfile& profile, PlaceNames& names);

/// The places with the most of something, three at most, the most first.
std::vector<Place> top(std::vector<Place> places,
                       const std::function<std::uint64_t(const Place&)>& amount);

/// Places whose blocks were never freed, or are lost; see heap_findings.h.
void find_leaks(const model::HeapProfile& profile, const std::vector<Place>& places, Findings& out);
/// Places that replace a block by a larger one again and again, as a vector does that grows.
void find_growth(const model::HeapProfile& profile, PlaceNames& names,
                 const std::vector<Place>& places, Findings& out);
/// Arenas of threads that hold far more than all blocks ever had at once.
void find_thread_arenas(const model::HeapProfile& profile, Findings& out);
/// Pages that a few bytes are live in, at the end of the profile.
void find_sparse_pages(const model::HeapProfile& profile, const std::vector<Place>& places,
                       Findings& out);

}  // namespace mini::explain
