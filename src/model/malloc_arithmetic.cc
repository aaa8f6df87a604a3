#include "model/malloc_arithmetic.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "model/malloc_versions.h"

namespace mini::model {
namespace {

std::optional<Bytes> sum(std::initializer_list<Bytes> parts) {
  std::optional<std::uint64_t> total = 0;
  for (const Bytes part : parts) {
    total = checked_add(*total, part.count);
    if (!total) return std::nullopt;
  }
  return Bytes{*total};
}

}  // namespace

std::optional<Bytes> chunk_of_request(Bytes request) {
  constexpr auto kLimit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (request.count > kLimit) return std::nullopt;
  const auto rounded = checked_round_up(request + kChunkHeader, kChunkAlignment);
  return rounded ? std::optional(std::max(*rounded, kSmallestChunk)) : std::nullopt;
}

std::optional<Bytes> thread_cache_chunk(std::string_view glibc_version) {
  const auto minor = glibc_minor(glibc_version);
  if (!minor || *minor < 26 || *minor > 41) return std::nullopt;
  // sizeof(tcache_perthread_struct): 64 counts of one byte before 2.30, of two since; 64 pointers.
  return chunk_of_request(Bytes{*minor < 30 ? 64u + 512u : 128u + 512u});
}

std::optional<Bytes> break_growth(Bytes chunk, Bytes top_pad, Bytes left_in_top, Bytes page_size) {
  const auto wanted = sum({chunk, top_pad, kSmallestChunk});
  if (!wanted || *wanted < left_in_top) return std::nullopt;
  return checked_round_up(*wanted - left_in_top, page_size);
}

std::optional<Bytes> mapping_of_chunk(Bytes chunk, Bytes page_size) {
  const auto wanted = sum({chunk, kChunkHeader});
  if (!wanted) return std::nullopt;
  return checked_round_up(*wanted, page_size);
}

Bytes break_trim(Bytes top, Bytes pad, Bytes page_size) {
  const auto kept = sum({pad, kSmallestChunk, Bytes{1}});
  if (!kept || top <= *kept) return {};
  return Bytes{(top - *kept).count & ~(page_size.count - 1)};
}

std::optional<Bytes> break_correction(Address break_now, Bytes left_in_top, Bytes page_size) {
  const Bytes misaligned{break_now.value % kChunkAlignment.count};
  const Bytes front = misaligned == Bytes{} ? Bytes{} : kChunkAlignment - misaligned;
  const auto end = sum({Bytes{break_now.value}, front, left_in_top});
  if (!end) return std::nullopt;
  const auto rounded = checked_round_up(*end, page_size);
  if (!rounded) return std::nullopt;
  return *rounded - Bytes{break_now.value};
}

}  // namespace mini::model
