// What differs between versions of glibc's malloc, as far as the project predicts it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace mini::model {

/// "2.36" → 36; nullopt for anything else.
std::optional<int> glibc_minor(std::string_view version);

/// Where freed chunks go.
struct FreeLists {
  std::uint64_t cached_of_a_size = 0;  // "TCACHE_FILL_COUNT"; 0 without thread caches
  bool fast_bins = true;
  bool small_sorted_at_once = false;  // into their small bin; else into the unsorted bin
  /// The chunk that the first free makes for the thread's cache; 0 where malloc made it before
  /// (thread_cache_chunk in malloc_arithmetic.h) or there is none.
  Bytes cache_made_by_free;
};

/// An unknown version is taken for 2.36.
FreeLists free_lists(std::string_view version);

/// What malloc calls the length of an mmapped chunk, which becomes its threshold.
Bytes chunk_of_mapping(Bytes mapping, std::string_view version);

}  // namespace mini::model
