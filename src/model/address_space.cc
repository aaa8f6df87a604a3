// The model's address space: a map of disjoint mappings by their first address. Each operation
// splits at the ends of its range, changes what lies between, and joins neighbours again.
#include "model/address_space.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/checked.h"

namespace mini::model {
namespace {

constexpr std::string_view kHeapPath = "[heap]";
constexpr std::string_view kStackPath = "[stack]";

bool alike(const Mapping& first, const Mapping& second) {
  return continues(first, second) && first.role == second.role && first.cause == second.cause;
}

Address round_up(Address address, Bytes step) {
  const auto rounded = checked_round_up(Bytes{address.value}, step);
  return Address{rounded ? rounded->count : ~(step.count - 1)};
}

}  // namespace

void AddressSpace::map(Mapping mapping) {
  if (mapping.range.begin >= mapping.range.end) return;
  const AddressRange range = mapping.range;
  unmap(range);
  insert(std::move(mapping));
  merge_neighbours(range);
}

void AddressSpace::unmap(AddressRange range) {
  if (range.begin >= range.end) return;
  split_at(range.begin);
  split_at(range.end);
  auto it = by_begin_.lower_bound(range.begin);
  while (it != by_begin_.end() && it->first < range.end) it = erase(it);
}

void AddressSpace::protect(AddressRange range, Protection protection) {
  change(range, [&](Mapping& mapping) { mapping.protection = protection; });
}

void AddressSpace::name(AddressRange range, std::string path) {
  // The kernel shows the heap and the stack by their own names whatever else they were named.
  change(range, [&](Mapping& mapping) {
    if (mapping.path != kHeapPath && mapping.path != kStackPath) mapping.path = path;
  });
}

void AddressSpace::label(AddressRange range, Role role, Cause cause) {
  change(range, [&](Mapping& mapping) {
    mapping.role = role;
    mapping.cause = cause;
  });
}

void AddressSpace::move(AddressRange from, AddressRange to, bool keep_source) {
  if (to.begin >= to.end) return;
  std::vector<Mapping> pieces = within(from);
  if (from.empty()) {
    // mremap of an old size of 0 duplicates a shared mapping from that address on.
    const Mapping* source = find(from.begin);
    if (source == nullptr) return;
    pieces.push_back(slice(*source, {from.begin, source->range.end}));
  }
  if (pieces.empty()) return;
  if (!keep_source) unmap(from);
  unmap(to);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Mapping& piece = pieces[i];
    const Address begin = to.begin + (piece.range.begin - from.begin);
    const bool last = i + 1 == pieces.size();
    const Address end = last ? to.end : to.begin + (piece.range.end - from.begin);
    if (begin >= to.end) break;
    if (piece.path == kHeapPath && begin != piece.range.begin) piece.path.clear();
    piece.range = {begin, std::min(end, to.end)};
    insert(std::move(piece));
  }
  merge_neighbours(to);
}

void AddressSpace::set_break(Address program_break, Bytes page_size) {
  if (!heap_start_ || !break_) {
    heap_start_ = break_ = program_break;
    return;
  }
  const Address old_end = round_up(*break_, page_size);
  const Address new_end = round_up(program_break, page_size);
  if (new_end > old_end) {
    Mapping growth;
    growth.range = {old_end, new_end};
    growth.protection = {.read = true, .write = true, .execute = false};
    growth.path = kHeapPath;
    // What the heap is labelled as is true of its growth too.
    if (const Mapping* before = find(old_end - Bytes{1}); before != nullptr) {
      if (before->path == kHeapPath) {
        growth.role = before->role;
        growth.cause = before->cause;
      }
    }
    map(std::move(growth));
  } else {
    unmap({new_end, old_end});
  }
  break_ = program_break;
  heap_start_ = std::min(*heap_start_, program_break);
}

const Mapping* AddressSpace::stack_end() const {
  // Near the upper end of memory, and perhaps in pieces that mprotect made.
  auto it = by_begin_.rbegin();
  while (it != by_begin_.rend() && it->second.path != kStackPath) ++it;
  const Mapping* lowest = nullptr;
  for (; it != by_begin_.rend() && it->second.path == kStackPath; ++it) lowest = &it->second;
  return lowest;
}

const Mapping* AddressSpace::find(Address address) const {
  auto it = by_begin_.upper_bound(address);
  if (it == by_begin_.begin()) return nullptr;
  --it;
  return it->second.range.contains(address) ? &it->second : nullptr;
}

std::vector<Mapping> AddressSpace::within(AddressRange range) const {
  std::vector<Mapping> pieces;
  if (range.begin >= range.end) return pieces;
  auto it = by_begin_.upper_bound(range.begin);
  if (it != by_begin_.begin()) --it;
  for (; it != by_begin_.end() && it->first < range.end; ++it) {
    const Mapping& mapping = it->second;
    if (!mapping.range.overlaps(range)) continue;
    pieces.push_back(slice(mapping, {std::max(mapping.range.begin, range.begin),
                                     std::min(mapping.range.end, range.end)}));
  }
  return pieces;
}

std::vector<Mapping> AddressSpace::mappings() const {
  std::vector<Mapping> list;
  list.reserve(by_begin_.size());
  for (const auto& [begin, mapping] : by_begin_) list.push_back(mapping);
  return list;
}

Bytes AddressSpace::heap_bytes() const {
  return heap_start_ && break_ ? *break_ - *heap_start_ : Bytes{};
}

void AddressSpace::split_at(Address address) {
  const auto it = first_overlapping(address);
  if (it == by_begin_.end() || it->first >= address) return;
  Mapping& left = it->second;
  Mapping right = slice(left, {address, left.range.end});
  left.range.end = address;
  by_begin_.emplace_hint(std::next(it), address, std::move(right));
}

void AddressSpace::insert(Mapping mapping) {
  mapped_ += mapping.range.size();
  const Address begin = mapping.range.begin;
  by_begin_.insert_or_assign(begin, std::move(mapping));
}

AddressSpace::Map::iterator AddressSpace::erase(Map::iterator position) {
  mapped_ -= position->second.range.size();
  return by_begin_.erase(position);
}

// The mapping that contains `address`, or the first one after it.
AddressSpace::Map::iterator AddressSpace::first_overlapping(Address address) {
  auto it = by_begin_.upper_bound(address);
  if (it != by_begin_.begin()) {
    const auto before = std::prev(it);
    if (before->second.range.contains(address)) return before;
  }
  return it;
}

void AddressSpace::merge_neighbours(AddressRange around) {
  auto it = by_begin_.lower_bound(around.begin);
  if (it != by_begin_.begin()) --it;
  while (it != by_begin_.end()) {
    const auto next = std::next(it);
    if (next == by_begin_.end() || next->first > around.end) return;
    if (alike(it->second, next->second)) {
      it->second.range.end = next->second.range.end;
      by_begin_.erase(next);
    } else {
      it = next;
    }
  }
}

template <typename Change>
void AddressSpace::change(AddressRange range, Change&& change_mapping) {
  if (range.begin >= range.end) return;
  split_at(range.begin);
  split_at(range.end);
  for (auto it = by_begin_.lower_bound(range.begin); it != by_begin_.end() && it->first < range.end;
       ++it) {
    change_mapping(it->second);
  }
  merge_neighbours(range);
}

}  // namespace mini::model
