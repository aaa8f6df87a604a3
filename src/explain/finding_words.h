// How findings of a heap profile are made and worded.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "explain/heap_findings.h"
#include "explain/profile_frames.h"
#include "model/heap_profile.h"

namespace mini::explain {

using Findings = std::vector<Finding>;

inline double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// What is little in itself comes after what is much, whatever its share.
inline double weight_of(double part, bool is_little) {
  constexpr double kOfLittle = 0.1;
  return is_little ? kOfLittle * part : part;
}

inline std::string percent(double part) {
  if (part > 0 && part < 0.005) return "under 1%";
  return part >= 0.995 && part < 1 ? "over 99%" : fmt::format("{:.0f}%", 100 * part);
}

/// The same at the begin of a sentence.
inline std::string percent_first(double part) {
  std::string text = percent(part);
  if (text.front() == 'o') text.front() = 'O';
  if (text.front() == 'u') text.front() = 'U';
  return text;
}

inline std::string bytes(std::uint64_t n) {
  return format_bytes(Bytes{n});
}

/// "1 event was", "2 events were".
inline std::string counted_were(std::uint64_t n, std::string_view noun) {
  return counted(n, noun) + (n == 1 ? " was" : " were");
}

inline std::string blocks(std::uint64_t n) {
  return counted(n, "block");
}

inline std::string seconds(std::uint64_t ns) {
  return ns == 0 ? "0 s" : format_duration(static_cast<double>(ns));
}

/// "from 3 s to 5.5 s", "at 67 ms" where that is all there is to say.
inline std::string from_to(std::uint64_t from_ns, std::uint64_t to_ns) {
  const std::string from = seconds(from_ns);
  const std::string to = seconds(to_ns);
  return from == to ? "at " + from : fmt::format("from {} to {}", from, to);
}

inline std::string mean_bytes(model::Amount amount) {
  return bytes(amount.blocks == 0 ? 0 : amount.bytes / amount.blocks);
}

/// Places by their stacks, each looked up once, and worded once: many stacks have the same.
class PlaceNames {
 public:
  explicit PlaceNames(const model::HeapProfile& profile) : profile_(profile) {
    names_.reserve(profile.stacks.size());
  }

  const std::string& of(std::uint32_t node) {
    const auto [at, is_new] = names_.try_emplace(node, nullptr);
    if (is_new) at->second = &name_of(place_of(profile_, node));
    return *at->second;
  }

 private:
  const std::string& name_of(const std::optional<ProfileFrameView>& place) {
    const auto key = place ? std::pair<const void*, const void*>(place->frame, place->line)
                           : std::pair<const void*, const void*>();
    const auto [at, is_new] = names_of_places_.try_emplace(key);
    if (is_new) at->second = place ? describe(*place) : "code of no known stack";
    return at->second;
  }

  const model::HeapProfile& profile_;
  std::unordered_map<std::uint32_t, const std::string*> names_;
  std::map<std::pair<const void*, const void*>, std::string> names_of_places_;
};

// Each appends what stands out of its kind; see heap_findings.h.

/// Places whose blocks the allocator makes much larger than was asked for.
void find_rounding(const model::HeapProfile& profile, PlaceNames& names, Findings& out);
/// Places most of whose memory never became resident.
void find_never_touched(const model::HeapProfile& profile, PlaceNames& names, Findings& out);

}  // namespace mini::explain
