// Sources: malloc/malloc.c of each release; 2.36, 2.41 and 2.43 were compared with running
// processes.
#include "model/malloc_versions.h"

#include <charconv>

namespace mini::model {
namespace {

constexpr int kUnknownMinor = 36;

int minor_or_usual(std::string_view version) {
  return glibc_minor(version).value_or(kUnknownMinor);
}

}  // namespace

std::optional<int> glibc_minor(std::string_view version) {
  constexpr std::string_view kMajor = "2.";
  if (!version.starts_with(kMajor)) return std::nullopt;
  version.remove_prefix(kMajor.size());
  int minor = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  if (error != std::errc() || end == version.data()) return std::nullopt;
  return minor;
}

FreeLists free_lists(std::string_view version) {
  const int minor = minor_or_usual(version);
  FreeLists lists;
  if (minor >= 26) lists.cached_of_a_size = minor < 43 ? 7 : 16;
  lists.fast_bins = minor < 43;
  lists.small_sorted_at_once = minor >= 41;
  if (minor >= 42) lists.cache_made_by_free = Bytes{0x300};
  return lists;
}

Bytes chunk_of_mapping(Bytes mapping, std::string_view version) {
  constexpr Bytes kBeforeChunk{16};
  return minor_or_usual(version) < 43 ? mapping : mapping - kBeforeChunk;
}

}  // namespace mini::model
