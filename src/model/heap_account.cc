// Which pages malloc_trim(0) gives back: malloc/malloc.c, "mtrim" (after fast bins were merged,
// whole pages of each free chunk behind its links) and "systrim" (of the main arena's top all whole
// pages but what the smallest chunk needs). The top of a thread's arena stays.
#include "model/heap_account.h"

#include <algorithm>
#include <bit>

#include "model/malloc_arithmetic.h"

namespace mini::model {
namespace {

Address round_up(Address address, Bytes page) {
  return {(address.value + page.count - 1) & ~(page.count - 1)};
}
Address round_down(Address address, Bytes page) {
  return {address.value & ~(page.count - 1)};
}

}  // namespace

TotalsByUse HeapAccount::total() const {
  TotalsByUse sum = without_arena;
  for (const TotalsByUse& arena : by_arena) {
    for (std::size_t use = 0; use < kPieceUseCount; ++use) sum.at(use) += arena.at(use);
  }
  return sum;
}

void HeapAccountant::begin_region(const HeapRegion& region) {
  region_ = region;
  run_ = {};
  last_run_ = {};
  used_ = {};
}

void HeapAccountant::piece(const HeapPiece& piece) {
  take_piece(piece);
}

void HeapAccountant::pieces(std::span<const HeapPiece> several) {
  for (const HeapPiece& one : several) take_piece(one);
}

inline void HeapAccountant::take_piece(const HeapPiece& piece) {
  count(piece);
  // The end of a slab goes with the free block before it.
  const bool goes_along = piece.use == PieceUse::kSlabRest && !run_.empty();
  if (is_binned(piece.use) || piece.use == PieceUse::kTop || goes_along) {
    if (rules_.only_main && run_.is_main != (piece.arena == 0)) close_run();
    extend_run(piece);
    return;
  }
  close_run();
  used_.size += piece.range.size();
  if (piece.use == PieceUse::kSlabRest) return;
  if (used_.blocks++ == 0) used_.first_block = piece.user();
  used_.arena = piece.arena;
}

void HeapAccountant::end_region() {
  close_run();
}

inline void HeapAccountant::count(const HeapPiece& piece) {
  PieceTotals one{.pieces = 1,
                  .size = piece.range.size(),
                  .header = piece.header,
                  .resident = resident_.resident(piece.range),
                  .resident_header = {}};
  // The header is at the begin: the part that malloc did not return.
  if (piece.header != Bytes{}) {
    const Address end = piece.range.begin + std::max(piece.before_user, piece.header);
    const bool all_is_resident = one.resident == one.size && end <= piece.range.end;
    one.resident_header =
        all_is_resident ? piece.header
                        : resident_.resident({end - piece.header, std::min(end, piece.range.end)});
  }
  if (piece.arena != kNoArena && piece.arena >= account_.by_arena.size()) {
    account_.by_arena.resize(piece.arena + std::size_t{1});
  }
  TotalsByUse& totals =
      piece.arena == kNoArena ? account_.without_arena : account_.by_arena[piece.arena];
  totals.at(static_cast<std::size_t>(piece.use)) += one;
  if (piece.use == PieceUse::kTop || piece.use == PieceUse::kFreePages) return;
  SizeRow& row = account_.sizes.at(static_cast<std::size_t>(std::bit_width(one.size.count - 1)));
  if (piece.use == PieceUse::kLive) row.live += one;
  if (is_free(piece.use)) row.free += one;
}

void HeapAccountant::extend_run(const HeapPiece& piece) {
  if (run_.empty()) run_ = {.range = {piece.range.begin, {}}, .is_main = piece.arena == 0};
  run_.range.end = piece.range.end;
  run_.has_top = run_.has_top || piece.use == PieceUse::kTop;
}

/// Of the run itself, all is known now; and of the pieces before it, between which runs they are.
void HeapAccountant::close_run() {
  if (run_.empty()) return;
  const Bytes returnable = resident_.resident(returnable_part(run_));
  account_.returnable += returnable;
  account_.pinned += resident_.resident(run_.range) - returnable;
  if (!last_run_.empty() && used_.blocks != 0) consider_pin(last_run_, run_);
  last_run_ = run_;
  run_ = {};
  used_ = {};
}

AddressRange HeapAccountant::returnable_part(const FreeRun& run) const {
  const AddressRange none{run.range.begin, run.range.begin};
  const bool is_main = run.has_top && region_.arena == 0;
  if ((run.has_top && !is_main) || (rules_.only_main && !run.is_main)) return none;
  const Bytes kept = run.has_top ? kSmallestChunk + Bytes{1} : rules_.kept_in_piece;
  const Address begin = round_up(run.range.begin + kept, rules_.page_size);
  const Address end = round_down(run.range.end, rules_.page_size);
  return begin < end ? AddressRange{begin, end} : none;
}

void HeapAccountant::consider_pin(const FreeRun& before, const FreeRun& after) {
  const FreeRun all{{before.range.begin, after.range.end}, after.has_top, after.is_main};
  if (all.range.size() < rules_.page_size) return;  // there is no whole page in it
  const Bytes apart =
      resident_.resident(returnable_part(before)) + resident_.resident(returnable_part(after));
  const Bytes together = resident_.resident(returnable_part(all));
  if (together <= apart + used_.size) return;
  const Bytes pinned = together - apart - used_.size;
  account_.pinning_blocks += used_.blocks;
  account_.pinning_bytes += used_.size;
  std::vector<HeapPin>& pins = account_.pins;
  const auto place =
      std::ranges::upper_bound(pins, pinned, std::ranges::greater(), &HeapPin::pinned);
  if (place == pins.end() && pins.size() >= rules_.most_pins) return;
  pins.insert(place, {.first_block = used_.first_block,
                      .blocks = used_.blocks,
                      .size = used_.size,
                      .pinned = pinned,
                      .arena = used_.arena});
  if (pins.size() > rules_.most_pins) pins.pop_back();
}

HeapAccount HeapAccountant::take() {
  return std::move(account_);
}

}  // namespace mini::model
