#include "heaps/block_index.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace mini::heaps {
namespace {

constexpr unsigned kPageShift = 12;
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;

}  // namespace

BlockIndex::BlockIndex(std::span<const LiveRange> blocks) : blocks_(blocks) {
  if (blocks.empty()) return;
  lowest_ = blocks.front().begin;
  const auto last = static_cast<std::uint32_t>(blocks.size() - 1);
  span_ = end_of(last) - lowest_;
  add_pages();
}

std::uint64_t BlockIndex::end_of(std::uint32_t block) const {
  const LiveRange& one = blocks_[block];
  // A block of no bytes has an address, too.
  const std::uint64_t bytes = std::max<std::uint64_t>(one.bytes, 1);
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() - one.begin;
  const std::uint64_t end = one.begin + std::min(bytes, most);
  return block + std::size_t{1} < blocks_.size() ? std::min(end, blocks_[block + 1].begin) : end;
}

std::size_t BlockIndex::place_of(std::uint64_t page) const {
  std::size_t place = (page * kGolden) >> shift_;
  while (pages_[place].count != 0 && pages_[place].number != page) {
    place = (place + 1) & (pages_.size() - 1);
  }
  return place;
}

void BlockIndex::add_pages() {
  std::size_t count = 1;
  for (std::size_t i = 1; i < blocks_.size(); ++i) {
    if (blocks_[i].begin >> kPageShift != blocks_[i - 1].begin >> kPageShift) ++count;
  }
  const std::size_t places = std::bit_ceil(2 * count);
  pages_.resize(places);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(places));
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const auto block = static_cast<std::uint32_t>(i);
    const std::uint64_t number = blocks_[i].begin >> kPageShift;
    Page& page = pages_[place_of(number)];
    if (page.count == 0) page = {.number = number, .first = block, .count = 0};
    ++page.count;
    const std::uint64_t end = end_of(block);
    if (end > blocks_[i].begin && (end - 1) >> kPageShift != number) wide_.push_back(block);
  }
}

std::uint32_t BlockIndex::find_inside(std::uint64_t address) const {
  const auto contains = [&](std::uint32_t block) {
    return address >= blocks_[block].begin && address < end_of(block);
  };
  const Page& page = pages_[place_of(address >> kPageShift)];
  if (page.count != 0 && address >= blocks_[page.first].begin) {
    const auto of_page = blocks_.subspan(page.first, page.count);
    const auto after = std::ranges::upper_bound(of_page, address, {}, &LiveRange::begin);
    const auto block = page.first + static_cast<std::uint32_t>(after - of_page.begin()) - 1;
    return contains(block) ? block : kNone;
  }
  const auto after = std::ranges::upper_bound(wide_, address, {},
                                              [&](std::uint32_t i) { return blocks_[i].begin; });
  return after != wide_.begin() && contains(*(after - 1)) ? *(after - 1) : kNone;
}

}  // namespace mini::heaps
