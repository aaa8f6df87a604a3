// Takes from the fullest slab that has room, so that the emptier ones can become empty.
#include "alloc/bin.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "alloc/check.h"
#include "alloc/checked.h"
#include "alloc/misuse.h"

namespace mini::alloc {
namespace {

// What the page map says of the pages of a bin's slabs.
std::uint8_t page_code(const Bin::Place& place) {
  return static_cast<std::uint8_t>(place.size_class | (place.heap == 0 ? 0 : kCodeOwnHeap));
}

// Blocks up to this size are written soon after their slab is made; larger ones only once the class
// has shown that it is in demand, and those of several pages as the program likes: they may be
// buffers for the worst case, or stacks, of which it touches the begin.
constexpr std::uint32_t kSoonWritten = 1024;

// The free blocks of a word of a slab's bitmap that share no cache line with a block in use: those
// of groups that fill whole lines, as far as all of a group is free. A slab begins with a line.
std::uint64_t in_whole_lines(std::uint64_t bits, std::uint32_t block_bytes) {
  const bool two_in_a_line = block_bytes * 2 == kLineBytes;
  const std::uint64_t pairs = bits & bits >> 1;
  // Four of 16 bytes are a line, four of 48 three lines.
  return two_in_a_line ? (pairs & 0x5555'5555'5555'5555U) * 0b11
                       : (pairs & pairs >> 2 & 0x1111'1111'1111'1111U) * 0b1111;
}

bool has_whole_lines(const Span& slab) {
  std::uint64_t any = 0;
  for (std::uint32_t word = 0; word < slab.free.kWords; ++word) {
    any |= in_whole_lines(slab.free.word(word), slab.block_bytes());
  }
  return any != 0;
}

// Takes the lowest of the blocks that `choose` leaves of each word of the bitmap.
template <typename Choose>
std::uint32_t take_blocks(Span& slab, std::byte* begin, void** out, std::uint32_t most,
                          Choose&& choose) {
  const std::uint32_t block_bytes = slab.block_bytes();
  std::uint32_t taken = 0;
  for (std::uint32_t word = 0; word < slab.free.kWords && taken < most; ++word) {
    const std::uint64_t chosen = choose(slab.free.word(word));
    std::uint64_t left = chosen;
    while (left != 0 && taken < most) {
      const auto bit = static_cast<std::uint32_t>(std::countr_zero(left));
      left &= left - 1;
      out[taken++] = begin + std::size_t{word * 64 + bit} * block_bytes;
    }
    slab.free.word(word) ^= chosen ^ left;
  }
  slab.set_free_count(slab.free_count - taken);
  return taken;
}

// Puts back the blocks at the front of blocks[0..count) that lie in the slab, up to one that is
// free already or none. Returns how many. What was put back of one word of the bitmap is kept in a
// register, since the next block is most likely of the same.
std::uint32_t put_in_slab(Span& slab, const std::byte* begin, void* const* blocks,
                          std::uint32_t count, bool* is_wrong) {
  const BlockDivisor divisor = kDivisors[slab.size_class];
  const std::size_t bytes = slab.pages.bytes();
  std::uint32_t done = 0;
  std::uint32_t word = 0;
  std::uint64_t bits = slab.free.word(0);
  for (; done < count; ++done) {
    const auto in_slab =
        static_cast<std::size_t>(static_cast<const std::byte*>(blocks[done]) - begin);
    if (in_slab >= bytes) break;
    const std::uint32_t index = divisor.quotient(static_cast<std::uint32_t>(in_slab));
    *is_wrong = index >= slab.block_count;
    if (*is_wrong) break;
    if (index / 64 != word) {
      slab.free.word(word) = bits;
      word = index / 64;
      bits = slab.free.word(word);
    }
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    *is_wrong = (bits & bit) != 0;
    if (*is_wrong) break;
    bits |= bit;
  }
  slab.free.word(word) = bits;
  return done;
}

}  // namespace

std::uint32_t Bin::fullness(const Span& slab) {
  const std::uint32_t quarters = slab.free_count * 4U;
  const std::uint32_t all = slab.block_count;
  return (slab.free_count != 0 ? 1U : 0U) + (quarters >= all ? 1U : 0U) +
         (quarters >= 2 * all ? 1U : 0U) + (quarters >= 3 * all ? 1U : 0U);
}

std::uint32_t Bin::list_of(const Span& slab) {
  return slab.swept ? kSwept : fullness(slab);
}

void Bin::move_to_list(Span& slab, std::uint32_t from) {
  const std::uint32_t to = list_of(slab);
  if (to == from) return;
  lists_[from].remove(slab);
  lists_[to].push(slab);
}

std::uint32_t Bin::take(void** out, std::uint32_t most, const Place& place) {
  const Locked locked(lock_);
  if (depot_count_ != 0) {
    const std::uint32_t taken = std::min(most, depot_count_);
    depot_count_ -= taken;
    std::memcpy(out, depot_ + depot_count_, taken * sizeof *out);
    return taken;
  }
  std::uint32_t taken = 0;
  while (taken < most) {
    Span* const slab = slab_with_room(place);
    if (slab == nullptr) break;
    const std::uint32_t before = list_of(*slab);
    taken += take_blocks(*slab, place.backing.begin_of(*slab), out + taken, most - taken,
                         [](std::uint64_t bits) { return bits; });
    move_to_list(*slab, before);
  }
  blocks_out_ += taken;
  if (unused_.count != 0) sweep_is_due(taken, place);
  check(place.backing);
  return taken;
}

std::uint32_t Bin::take_whole_lines(void** out, std::uint32_t most, const Place& place) {
  {
    const Locked locked(lock_);
    if (Span* const slab = slab_with_whole_lines(place); slab != nullptr) {
      const std::uint32_t before = list_of(*slab);
      const std::uint32_t block_bytes = slab->block_bytes();
      const std::uint32_t taken = take_blocks(
          *slab, place.backing.begin_of(*slab), out, most,
          [block_bytes](std::uint64_t bits) { return in_whole_lines(bits, block_bytes); });
      move_to_list(*slab, before);
      blocks_out_ += taken;
      check(place.backing);
      return taken;
    }
  }
  return take(out, most, place);
}

// The first slab of each list is looked at: the search is bounded, and the slab that was made
// because of the last one is among them.
Span* Bin::slab_with_whole_lines(const Place& place) {
  for (std::uint32_t i = 1; i < kFullnesses; ++i) {
    Span* const slab = lists_[i].front();
    if (slab != nullptr && has_whole_lines(*slab)) return slab;
  }
  return new_slab(place);
}

Span* Bin::slab_with_room(const Place& place) {
  for (std::uint32_t i = 1; i < kFullnesses; ++i) {
    if (Span* const slab = lists_[i].front(); slab != nullptr) return slab;
  }
  if (Span* const slab = lists_[kSwept].front(); slab != nullptr) {
    end_swept(*slab, place);
    return slab;
  }
  return new_slab(place);
}

// Its pages have memory again.
void Bin::end_swept(Span& slab, const Place& place) {
  place.backing.pages.reuse({slab.first, slab.pages});
  slab.swept = 0;
  move_to_list(slab, kSwept);
}

Span* Bin::new_slab(const Place& place) {
  Backing& backing = place.backing;
  const SizeClass& size_class = kSizeClasses[place.size_class];
  const bool in_demand = pages_.count >= 2U * size_class.most_pages;
  PageHeap::Request request{.count = {in_demand ? size_class.most_pages : size_class.least_pages}};
  const bool soon = size_class.block_bytes <= kSoonWritten ||
                    (slabs_ != 0 && size_class.block_bytes <= kPageBytes);
  request.touch = soon ? Touch::kSoon : Touch::kLazily;
  Span* const slab = backing.spans.take();
  if (slab == nullptr) return nullptr;
  PageHeap::Grant grant;
  if (!backing.pages.take(request, &grant)) {
    backing.spans.put(*slab);
    return nullptr;
  }
  slab->kind = SpanKind::kSlab;
  slab->first = grant.first;
  slab->pages = request.count;
  slab->heap = place.heap;
  slab->size_class = place.size_class;
  slab->block_count =
      static_cast<std::uint16_t>(detail::blocks_in(request.count.count, size_class.block_bytes));
  slab->set_free_count(slab->block_count);
  slab->free.set_run({0, slab->block_count});
  backing.window.span_id(grant.first) = backing.window.id_of(*slab);
  for (std::uint32_t i = 0; i < request.count.count; ++i) {
    backing.window.set_entry(grant.first + PageCount{i},
                             {page_code(place), static_cast<std::uint8_t>(i)});
  }
  lists_[list_of(*slab)].push(*slab);
  ++slabs_;
  pages_ += slab->pages;
  blocks_ += slab->block_count;
  return slab;
}

// `list`: the one that the slab is in.
void Bin::release_slab(Span& slab, std::uint32_t list, const Place& place) {
  Backing& backing = place.backing;
  lists_[list].remove(slab);
  --slabs_;
  pages_ -= slab.pages;
  blocks_ -= slab.block_count;
  const PageRun run{slab.first, slab.pages};
  for (std::uint32_t i = 0; i < run.count.count; ++i) {
    backing.window.set_entry(run.first + PageCount{i}, {});
  }
  backing.spans.put(slab);
  backing.pages.put(run);
}

void Bin::die_of_wrong_block(const void* block, const Place& place) {
  Backing& backing = place.backing;
  const std::size_t offset = backing.window.offset(block);
  const PageEntry entry = backing.window.entry(offset);
  // Where its page is no part of such a slab any more, all blocks of the one that it was in came
  // back before.
  bool was_block = true;
  if (entry.code == page_code(place)) {
    const Span& slab = backing.span_at(offset, entry);
    was_block = backing.block_index(slab, block) < slab.block_count;
  }
  die_of_misuse(was_block ? Misuse::kDoubleFree : Misuse::kInvalidFree, block, backing);
}

void Bin::put(void* const* blocks, std::uint32_t count, const Place& place) {
  std::uint32_t done = 0;
  {
    const Locked locked(lock_);
    if (place.shared && put_in_depot(blocks, count, place)) return;
    done = put_in_slabs(blocks, count, place);
    if (sweep_is_due(done, place)) sweep(place);
    check(place.backing);
  }
  // Without the lock: whoever catches the signal may want to allocate.
  if (done < count) die_of_wrong_block(blocks[done], place);
}

bool Bin::put_in_depot(void* const* blocks, std::uint32_t count, const Place& place) {
  if (depot_ == nullptr) {
    const std::uint32_t capacity = kSizeClasses[place.size_class].cached_most;
    depot_ = static_cast<void**>(place.backing.records.take(capacity * sizeof *depot_));
    if (depot_ == nullptr) return false;
    depot_capacity_ = capacity;
  }
  if (count > depot_capacity_ - depot_count_) return false;
  std::memcpy(depot_ + depot_count_, blocks, count * sizeof *blocks);
  depot_count_ += count;
  return true;
}

// Returns how many blocks it put back: fewer than `count` where the next one is free already or
// none (the rest of a slab that no block fits into begins where one would). Blocks that were used
// together come back together, so a slab is looked up once for several of them.
std::uint32_t Bin::put_in_slabs(void* const* blocks, std::uint32_t count, const Place& place) {
  Backing& backing = place.backing;
  std::uint32_t done = 0;
  bool is_wrong = false;
  while (done < count && !is_wrong) {
    const std::size_t offset = backing.window.offset(blocks[done]);
    const PageEntry entry = backing.window.entry(offset);
    is_wrong = entry.code != page_code(place);
    if (is_wrong) break;
    Span& slab = backing.span_at(offset, entry);
    const std::uint32_t list_before = list_of(slab);
    const std::uint32_t done_before = done;
    done += put_in_slab(slab, backing.begin_of(slab), blocks + done, count - done, &is_wrong);
    slab.set_free_count(slab.free_count + done - done_before);
    blocks_out_ -= done - done_before;
    if (slab.free_count == slab.block_count) {
      release_slab(slab, list_before, place);
    } else {
      move_to_list(slab, list_before);
    }
  }
  return done;
}

bool Bin::holds(const void* block, const Span& slab, Backing& backing) {
  const Locked locked(lock_);
  if (slab.free.test(backing.block_index(slab, block))) return true;
  return std::find(depot_, depot_ + depot_count_, block) != depot_ + depot_count_;
}

void Bin::drain_depot(const Place& place) {
  const void* wrong = nullptr;
  {
    const Locked locked(lock_);
    const std::uint32_t done = put_in_slabs(depot_, depot_count_, place);
    if (done < depot_count_) wrong = depot_[done];
    depot_count_ = 0;
    check(place.backing);
  }
  if (wrong != nullptr) die_of_wrong_block(wrong, place);
}

void Bin::release_all(const Place& place) {
  const Locked locked(lock_);
  depot_count_ = 0;
  for (std::uint32_t i = 0; i < kLists; ++i) {
    while (Span* const slab = lists_[i].front()) release_slab(*slab, i, place);
  }
  blocks_out_ = 0;
  if (unused_.count != 0) place.backing.pages.sweep_pays(unused_, {});
  unused_ = {};
  check(place.backing);
}

void Bin::check([[maybe_unused]] Backing& backing) const {
  if constexpr (kChecked) {
    if (Checker::is_due()) Checker::bin(*this, backing);
  }
}

Bin::Figures Bin::figures() {
  const Locked locked(lock_);
  return {.slabs = slabs_,
          .pages = pages_,
          .blocks = blocks_,
          .blocks_out = blocks_out_,
          .blocks_in_depot = depot_count_};
}

}  // namespace mini::alloc
