// Finds the request behind a growth of the heap among values of malloc's frames.
//
// glibc keeps both the request and its chunk's size alive in callee-saved registers across the
// calls that lead to the kernel (seen in 2.36: _int_malloc has them in r12 and rbx when it calls
// sysmalloc, which pushes both), so the pair is among the values. That it is the right one is
// proved by the growth, which follows from the chunk.
#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "heaps/glibc.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {
namespace {

constexpr std::size_t kMostWords = 4096;  // the frames in question take some hundred words

using Pairs = std::set<std::pair<Bytes, Bytes>>;  // (request, chunk)

std::optional<Bytes> growth_of(Bytes chunk, const GrowthEvidence& evidence) {
  if (evidence.kind == GrowthEvidence::Kind::kMapping) {
    return model::mapping_of_chunk(chunk, evidence.page_size);
  }
  const model::MallocState& state = evidence.state;
  if (!state.top_bytes) return std::nullopt;
  return model::break_growth(chunk, state.top_pad, state.contiguous ? *state.top_bytes : Bytes{},
                             evidence.page_size);
}

std::vector<std::uint64_t> sorted_values(const CandidateValues& values) {
  const auto words = values.words.first(std::min(values.words.size(), kMostWords));
  std::vector<std::uint64_t> list(words.begin(), words.end());
  list.insert(list.end(), values.entry_registers.begin(), values.entry_registers.end());
  std::ranges::sort(list);
  const auto [first, last] = std::ranges::unique(list);
  list.erase(first, last);
  return list;
}

// Every (request, chunk) with both among the values and the growth that was seen.
Pairs pairs_by_chunk(const std::vector<std::uint64_t>& list, const GrowthEvidence& evidence) {
  // Requests of one chunk's size are the 16 values from chunk - 23 on, 25 for the smallest.
  constexpr std::uint64_t kReach = 32;
  Pairs pairs;
  for (const std::uint64_t value : list) {
    const Bytes chunk{value};
    if (value % model::kChunkAlignment.count != 0 || chunk < model::kSmallestChunk) continue;
    if (growth_of(chunk, evidence) != evidence.grown) continue;
    for (auto it = std::ranges::lower_bound(list, value - kReach); it != list.end() && *it < value;
         ++it) {
      if (model::chunk_of_request(Bytes{*it}) == chunk) pairs.emplace(Bytes{*it}, chunk);
    }
  }
  return pairs;
}

// _int_realloc passes on its chunk less 15 as a request of its own: where the caller's own request
// for the same chunk is there too, that is the one.
void drop_reallocs_own(Pairs& pairs) {
  if (pairs.size() != 2) return;
  constexpr Bytes kAlignmentMask{15};
  for (const auto& pair : pairs) {
    const auto& other = pair == *pairs.begin() ? *pairs.rbegin() : *pairs.begin();
    if (pair.second == other.second && pair.first == pair.second - kAlignmentMask) {
      pairs.erase(pair);
      return;
    }
  }
}

bool adjacent(std::span<const std::uint64_t> words, std::uint64_t a, std::uint64_t b) {
  return std::ranges::adjacent_find(words, [&](std::uint64_t x, std::uint64_t y) {
           return (x == a && y == b) || (x == b && y == a);
         }) != words.end();
}

// The first malloc of a thread makes its cache before it looks at the request: its frame holds the
// request and the request's index in the cache (2.36 and 2.41: rbx and rbp), and no chunk yet. Such
// indices are small numbers and prove little. So malloc must have put the index there itself, and
// the pair must be of registers that are pushed side by side: by malloc, or by what makes the cache
// (2.36; in 2.41 that pushes rbx alone). Index 0, of requests up to 24 bytes, is not told from the
// zeros that are everywhere.
Pairs pairs_by_index(const CandidateValues& values) {
  Pairs pairs;
  const auto words = values.words.first(std::min(values.words.size(), kMostWords));
  const auto registers = values.entry_registers;
  const auto before = values.caller_registers;
  for (std::size_t i = 0; i < registers.size(); ++i) {
    const auto chunk = model::chunk_of_request(Bytes{registers[i]});
    if (!chunk) continue;
    const std::uint64_t index = model::thread_cache_index(*chunk);
    if (index == 0 || index == registers[i]) continue;
    for (std::size_t j = 0; j < std::min(registers.size(), before.size()); ++j) {
      if (registers[j] != index || before[j] == index) continue;
      const bool neighbours = i + 1 == j || j + 1 == i;
      if (neighbours || adjacent(words, registers[i], index)) {
        pairs.emplace(Bytes{registers[i]}, *chunk);
      }
    }
  }
  return pairs;
}

std::optional<model::MallocRequest> only(const Pairs& pairs) {
  if (pairs.size() != 1) return std::nullopt;
  return model::MallocRequest{.requested = pairs.begin()->first, .chunk = pairs.begin()->second};
}

// The chunk of the thread cache, whichever version it may be where that is unknown.
bool may_be_thread_cache(Bytes chunk, std::string_view version) {
  if (const auto cache = model::thread_cache_chunk(version)) return chunk == *cache;
  return version.empty() &&
         (chunk == model::thread_cache_chunk("2.26") || chunk == model::thread_cache_chunk("2.36"));
}

}  // namespace

std::optional<model::MallocRequest> find_malloc_request(const GrowthEvidence& evidence,
                                                        const CandidateValues& values) {
  const std::string_view version = evidence.state.glibc_version;
  const bool into_empty = evidence.kind == GrowthEvidence::Kind::kBreak && !evidence.state.top;
  const auto cache = model::thread_cache_chunk(version.empty() ? "2.36" : version);
  if (into_empty && cache && growth_of(*cache, evidence) == evidence.grown) {
    if (auto request = only(pairs_by_index(values))) return request;
  }
  Pairs pairs = pairs_by_chunk(sorted_values(values), evidence);
  // The thread cache's own chunk explains the growth, but it is nobody's request.
  if (into_empty) {
    std::erase_if(pairs,
                  [&](const auto& pair) { return may_be_thread_cache(pair.second, version); });
  }
  drop_reallocs_own(pairs);
  return only(pairs);
}

}  // namespace mini::heaps
