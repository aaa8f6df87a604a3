// Which pages are mapped at a moment, and by whom.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/seeded_hash.h"
#include "base/units.h"
#include "recording/event.h"

namespace mini::recording {

/// Ranges of addresses, each with who mapped it. One that is mapped over another takes its place,
/// and one that is unmapped in the middle becomes two, as the kernel has it.
///
///  M1  ranges do not overlap, and none is empty
template <typename Owner>
class MappedRanges {
 public:
  /// Ranges are cut at the end of the address space. `gone` is told of each part that goes:
  /// gone(owner, range).
  template <typename Gone>
  void map(Address begin, Bytes size, Owner owner, const Gone& gone) {
    unmap(begin, size, gone);
    const std::uint64_t end = end_of(begin, size);
    if (end > begin.value) ranges_[begin.value] = {.end = end, .owner = owner};
  }

  template <typename Gone>
  void unmap(Address begin, Bytes size, const Gone& gone) {
    const std::uint64_t end = end_of(begin, size);
    auto range = first_after(begin);
    while (range != ranges_.end() && range->first < end) {
      const auto [first, rest] = *range;
      const std::uint64_t from = std::max(first, begin.value);
      const std::uint64_t until = std::min(rest.end, end);
      gone(rest.owner, AddressRange{Address{from}, Address{until}});
      if (first < from) {
        range->second.end = from;
        ++range;
      } else {
        range = ranges_.erase(range);
      }
      if (until < rest.end) {
        ranges_.insert_or_assign(range, until, rest);
        return;
      }
    }
  }

  /// visit(owner, part) of each part of a range that somebody mapped, in whole pages. Not of all
  /// where calls before have visited very many: a few bytes of a hostile recording ask for as many
  /// parts as there are, again and again.
  template <typename Visit>
  void for_each_in(Address begin, Bytes size, const Visit& visit) {
    const std::uint64_t end = end_of(begin, size);
    visits_left_ += kVisitsOfACall;
    for (auto range = first_after(begin);
         range != ranges_.end() && range->first < end && visits_left_ != 0; ++range) {
      --visits_left_;
      const auto& [first, rest] = *range;
      visit(rest.owner,
            AddressRange{Address{std::max(first, begin.value)}, Address{std::min(rest.end, end)}});
    }
  }

  /// Of the range that begins there; 0 where none does.
  Bytes size_at(Address begin) const {
    const auto range = ranges_.find(begin.value);
    return range == ranges_.end() ? Bytes{} : Bytes{range->second.end - begin.value};
  }
  /// Who mapped the page at an address; Owner{} where nobody is known to have.
  Owner owner_of(Address address) const {
    const auto after = ranges_.upper_bound(address.value);
    if (after == ranges_.begin()) return {};
    const Rest& rest = std::prev(after)->second;
    return address.value < rest.end ? rest.owner : Owner{};
  }

 private:
  struct Rest {
    std::uint64_t end = 0;
    Owner owner = {};
  };

  static constexpr std::uint64_t kVisitsOfACall = 64;
  static constexpr std::uint64_t kVisitsAtFirst = std::uint64_t{1} << 20;  // beyond those

  // The kernel maps whole pages, whatever size it was asked for.
  static constexpr std::uint64_t kPage = 4096;
  static std::uint64_t end_of(Address begin, Bytes size) {
    const std::uint64_t whole =
        size.count > UINT64_MAX - kPage ? size.count : (size.count + kPage - 1) / kPage * kPage;
    return whole > UINT64_MAX - begin.value ? UINT64_MAX : begin.value + whole;
  }

  using Ranges = std::map<std::uint64_t, Rest>;  // by begin
  Ranges::iterator first_after(Address begin) {
    auto range = ranges_.upper_bound(begin.value);
    if (range != ranges_.begin() && std::prev(range)->second.end > begin.value) --range;
    return range;
  }

  Ranges ranges_;
  std::uint64_t visits_left_ = kVisitsAtFirst;
};

/// Of each thread, what it unmapped last. Where it goes on with a remap of the same range, it told
/// before its call that the range may go, and tells now what became of it: another thread can have
/// mapped these addresses in between.
template <typename Owner>
class LastUnmapped {
 public:
  struct Unmapped {
    Address begin{};
    Bytes size{};
    std::vector<std::pair<Owner, AddressRange>> parts;

    /// Who had mapped its first page; Owner{} where nobody is known to have.
    Owner owner() const {
      const bool is_known = !parts.empty() && parts.front().second.begin == begin;
      return is_known ? parts.front().first : Owner{};
    }
  };

  /// REQUIRES: take() of the event; what it unmaps is still in `ranges`.
  void keep(const Mapping& event, MappedRanges<Owner>& ranges) {
    Unmapped& last = of_threads_[event.thread];
    last = {.begin = event.address, .size = event.bytes, .parts = {}};
    ranges.for_each_in(event.address, event.bytes, [&](const Owner& owner, AddressRange part) {
      last.parts.emplace_back(owner, part);
    });
  }

  /// To be called at each event. Forgets what its thread unmapped last, and returns it where the
  /// event goes on with it.
  std::optional<Unmapped> take(const Mapping& event) {
    const auto last = of_threads_.extract(event.thread);
    if (last.empty() || event.operation != Mapping::Operation::kRemap ||
        last.mapped().begin != event.old_address || last.mapped().size != event.old_bytes) {
      return std::nullopt;
    }
    return std::move(last.mapped());
  }

 private:
  SeededMap<ThreadNumber, Unmapped> of_threads_;
};

/// Whether all stays where it was: nothing came of the call.
inline bool is_in_place(const Mapping& remap) {
  return remap.address == remap.old_address && remap.bytes == remap.old_bytes;
}

}  // namespace mini::recording
