#include "support/allocator_model.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <sstream>
#include <string>

#include "alloc/check.h"
#include "alloc/options.h"
#include "alloc/statistics.h"
#include "alloc/walk.h"
#include "support/fake_vm.h"
#include "support/random.h"

namespace mini::test {
namespace {

using alloc::BlockState;
using alloc::g_options;
using alloc::Heap;
using alloc::Options;
using alloc::t_thread;

constexpr std::size_t kMostHeaps = 6;

void require(bool holds, const char* what, const void* p, std::size_t bytes = 0) {
  if (holds) return;
  std::ostringstream line;
  line << what << ": block " << p << ", " << bytes << " bytes";
  throw ModelError(line.str());
}

// Which bytes of a block carry a pattern: all of a small one; of a larger one both ends and some in
// between, so that large blocks cost little.
template <typename Apply>
void for_each_sample(std::size_t bytes, Apply&& apply) {
  constexpr std::size_t kEnds = 256;
  const std::size_t step = bytes <= 4 * kEnds ? 1 : bytes <= (1U << 16) ? 509 : 16381;
  for (std::size_t i = 0; i < bytes; i += i < kEnds || i + kEnds >= bytes ? 1 : step) apply(i);
}

std::byte pattern_at(std::uint64_t pattern, std::size_t offset) {
  return static_cast<std::byte>((pattern * 0x9e37'79b9'7f4a'7c15U >> 56) + offset * 31);
}

bool is_zero(const std::byte* p, std::size_t bytes) {
  return bytes == 0 || (*p == std::byte{0} && std::memcmp(p, p + 1, bytes - 1) == 0);
}

void choose_option(std::uint32_t which, std::size_t value) {
  const bool by_default = value % 3 == 0;
  std::atomic<std::size_t>* const sizes[] = {&g_options.retained_bytes,
                                             &g_options.thread_cache_bytes};
  if (which % 3 == 2) {
    g_options.huge_pages.store(value % 3, std::memory_order_relaxed);
  } else {
    sizes[which % 3]->store(by_default ? Options::kByDefault : value, std::memory_order_relaxed);
  }
}

void reset_options() {
  g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  g_options.thread_cache_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  g_options.huge_pages.store(0, std::memory_order_relaxed);
}

}  // namespace

AllocatorModel::AllocatorModel(bool has_first_blocks) {
  fake_vm().reset();
  reset_options();
  t_thread = {};
  memory_ = std::make_unique<Memory>(has_first_blocks);
}

AllocatorModel::~AllocatorModel() {
  t_thread = {};
  reset_options();
  memory_.reset();
  fake_vm().reset();
}

void AllocatorModel::apply(const Operation& operation) {
  const auto [action, which, bytes, log2_alignment] = operation;
  const std::size_t alignment = std::size_t{1} << (log2_alignment % 24);
  const bool needs_block =
      action == Action::kResize || action == Action::kFree || action == Action::kFreeSized;
  if (needs_block && blocks_.empty()) return;
  switch (action) {
    case Action::kAllocate:
      return allocate({.bytes = bytes});
    case Action::kAllocateZeroed:
      return allocate({.bytes = bytes, .zeroed = true});
    case Action::kAllocateAligned:
      return allocate({.bytes = bytes, .alignment = alignment});
    case Action::kAllocateInHeap:
      if (heaps_.empty()) return;
      return allocate({.bytes = bytes,
                       .alignment = alignment,
                       .heap = heaps_[which % heaps_.size()]->id(),
                       .zeroed = which % 2 != 0});
    case Action::kResize:
      return resize(pick(which), bytes, log2_alignment % 2 != 0);
    case Action::kFree:
      return free(pick(which), false);
    case Action::kFreeSized:
      return free(pick(which), true);
    case Action::kFreeMany:
      return free_many(which);
    case Action::kCreateHeap:
      return create_heap();
    case Action::kDestroyHeap:
      return destroy_heap(which);
    case Action::kTrim:
      allocator().trim();
      return;
    case Action::kNextThread:
      return next_thread(which);
    case Action::kEndThread:
      return end_thread();
    case Action::kChooseOption:
      return choose_option(which, bytes);
    case Action::kPassTime:
      return fake_vm().advance(bytes);
    case Action::kCheck:
      return check_all();
  }
}

AllocatorModel::Blocks::iterator AllocatorModel::pick(std::uint32_t which) {
  // From somewhere in the address space, so that it need not be counted.
  const auto first = reinterpret_cast<std::uintptr_t>(blocks_.begin()->first);
  const auto last = reinterpret_cast<std::uintptr_t>(blocks_.rbegin()->first);
  const std::uint64_t hash = Random(which).next();
  if (hash % 2 == 0) {
    return std::next(blocks_.begin(), static_cast<std::ptrdiff_t>(
                                          (hash >> 8) % std::min<std::size_t>(blocks_.size(), 64)));
  }
  const std::uintptr_t at = first + (hash >> 8) % (last - first + 1);
  return blocks_.lower_bound(reinterpret_cast<std::byte*>(at));
}

void AllocatorModel::failed(const char* what, std::size_t bytes) {
  require(failure_allowed_, what, nullptr, bytes);
  ++failures_;
}

void* AllocatorModel::ask(const Request& wanted) {
  if (wanted.heap != 0) {
    return allocator().allocate_in(allocator().heap_of(wanted.heap),
                                   {.bytes = wanted.bytes,
                                    .alignment = std::max(wanted.alignment, alloc::kGranule),
                                    .zeroed = wanted.zeroed});
  }
  if (wanted.zeroed) return allocator().allocate_zeroed(wanted.bytes);
  if (wanted.alignment != 1) return allocator().allocate_aligned(wanted.alignment, wanted.bytes);
  return allocator().allocate(wanted.bytes);
}

void AllocatorModel::allocate(const Request& wanted) {
  if (!fits(wanted.bytes)) return;
  void* const p = ask(wanted);
  if (p == nullptr) return failed("there is memory and none was given", wanted.bytes);
  if (wanted.zeroed) {
    require(is_zero(static_cast<std::byte*>(p), wanted.bytes), "not zero", p, wanted.bytes);
  }
  add(p, wanted);
}

void AllocatorModel::add(void* p, const Request& wanted) {
  auto* const begin = static_cast<std::byte*>(p);
  const alloc::BlockInfo info = allocator().find(p);
  const std::size_t usable = allocator().usable_size(p);
  const std::size_t alignment = std::max(wanted.alignment, alloc::kGranule);
  require(usable >= wanted.bytes, "too small", p, usable);
  require(info.usable_bytes == usable && info.heap == wanted.heap, "not the block asked for", p);
  require(reinterpret_cast<std::uintptr_t>(p) % alignment == 0, "not aligned", p, alignment);
  const auto after = blocks_.lower_bound(begin);
  require(after == blocks_.end() || begin + usable <= after->first, "overlaps the next", p, usable);
  if (after != blocks_.begin()) {
    const auto& [before, block] = *std::prev(after);
    require(before + block.usable_bytes <= begin, "overlaps the one before", p, usable);
  }
  const std::uint64_t pattern = next_pattern_++;
  for_each_sample(usable, [&](std::size_t i) { begin[i] = pattern_at(pattern, i); });
  blocks_.emplace_hint(after, begin,
                       Block{.bytes = wanted.bytes,
                             .usable_bytes = usable,
                             .alignment = alignment,
                             .heap = wanted.heap,
                             .pattern = pattern});
  live_bytes_ += usable;
}

void AllocatorModel::verify(std::byte* p, const Block& block) {
  require(allocator().usable_size(p) == block.usable_bytes, "usable size has changed", p);
  for_each_sample(block.usable_bytes, [&](std::size_t i) {
    require(p[i] == pattern_at(block.pattern, i), "contents have changed", p + i,
            block.usable_bytes);
  });
}

void AllocatorModel::resize(Blocks::iterator at, std::size_t number, bool relative) {
  const auto [p, block] = *at;
  // Relative: from an eighth of it to four times as much.
  const std::size_t bytes =
      std::max<std::size_t>(relative ? block.usable_bytes * (1 + number % 32) / 8 : number, 1);
  if (!fits(2 * bytes)) return;  // it may get room to grow in
  verify(p, block);
  void* const q = allocator().resize(p, bytes);
  if (q == nullptr) {
    verify(p, block);
    return failed("there is memory and a block was not resized", bytes);
  }
  const std::size_t kept = std::min(block.usable_bytes, bytes);
  for_each_sample(block.usable_bytes, [&](std::size_t i) {
    const auto* const now = static_cast<const std::byte*>(q);
    require(i >= kept || now[i] == pattern_at(block.pattern, i), "contents were lost", q, i);
  });
  live_bytes_ -= block.usable_bytes;
  blocks_.erase(at);
  add(q, {.bytes = bytes, .alignment = q == p ? block.alignment : 1, .heap = block.heap});
}

void AllocatorModel::free(Blocks::iterator at, bool sized) {
  const auto [p, block] = *at;
  verify(p, block);
  live_bytes_ -= block.usable_bytes;
  blocks_.erase(at);
  if (!sized) {
    allocator().free(p);
  } else if (block.alignment <= alloc::kGranule) {
    allocator().free_sized(p, block.bytes);
  } else {
    allocator().free_sized(p, block.bytes, block.alignment);
  }
}

void AllocatorModel::free_many(std::uint32_t first) {
  std::uint32_t i = first;
  for (auto at = blocks_.begin(); at != blocks_.end();) {
    const auto next = std::next(at);
    if (i++ % 4 == 0) free(at, i % 3 == 0);
    at = next;
  }
}

void AllocatorModel::create_heap() {
  if (heaps_.size() == kMostHeaps) return;
  const std::string name = "model " + std::to_string(next_pattern_++);
  Heap* const heap = allocator().create_heap(name.c_str());
  if (heap == nullptr) return failed("there is memory and no heap was made", 0);
  require(std::ranges::find(heaps_, heap) == heaps_.end(), "a heap was made twice", heap);
  require(allocator().find_heap(name.c_str()) == heap, "a heap is not found", heap);
  heaps_.push_back(heap);
}

void AllocatorModel::destroy_heap(std::uint32_t which) {
  if (heaps_.empty()) return;
  const auto at = heaps_.begin() + static_cast<std::ptrdiff_t>(which % heaps_.size());
  Heap& heap = **at;
  heaps_.erase(at);
  destroy(heap);
}

void AllocatorModel::destroy(Heap& heap) {
  for (auto at = blocks_.begin(); at != blocks_.end();) {
    const auto& [p, block] = *at;
    if (block.heap != heap.id()) {
      ++at;
      continue;
    }
    verify(p, block);
    live_bytes_ -= block.usable_bytes;
    at = blocks_.erase(at);
  }
  allocator().destroy_heap(heap);
}

void AllocatorModel::next_thread(std::uint32_t which) {
  threads_[turn_] = t_thread;
  turn_ = which % threads_.size();
  t_thread = threads_[turn_];
}

void AllocatorModel::end_thread() {
  allocator().end_thread();
  t_thread = {};  // a new one takes its place
}

void AllocatorModel::check_all() {
  if (allocator().backing().window.placed()) {
    if constexpr (alloc::kChecked) alloc::Checker::everything(allocator());
  }
  for (const auto& [p, block] : blocks_) verify(p, block);
  check_walk();
  check_figures();
}

// With nobody else at work a walk shows each block once, and as live exactly those that are.
void AllocatorModel::check_walk() {
  struct Found {
    AllocatorModel& model;
    std::map<const void*, std::size_t> shown;
    std::size_t live = 0;
  } found{.model = *this, .shown = {}};
  const auto visit = [](const alloc::WalkedBlock& block, void* context) {
    auto& to = *static_cast<Found*>(context);
    require(to.shown.emplace(block.address, block.usable_bytes).second, "is shown twice",
            block.address);
    auto* const p = static_cast<std::byte*>(const_cast<void*>(block.address));
    const auto at = to.model.blocks_.find(p);
    const bool is_live = at != to.model.blocks_.end();
    require(is_live == (block.state == BlockState::kLive), "live or free by mistake", p);
    if (!is_live) return true;
    ++to.live;
    require(block.usable_bytes == at->second.usable_bytes && block.heap == at->second.heap,
            "is shown otherwise than it is", p, block.usable_bytes);
    return true;
  };
  const alloc::WalkEnd end = alloc::walk(allocator(), nullptr, visit, &found);
  if (end == alloc::WalkEnd::kNoMemory) return failed("there is memory and a walk ended", 0);
  require(found.live == blocks_.size(), "a walk did not show all", nullptr, found.live);
  const std::byte* before_end = nullptr;
  for (const auto& [p, usable] : found.shown) {
    require(before_end <= p, "blocks that a walk shows overlap", p, usable);
    before_end = static_cast<const std::byte*>(p) + usable;
  }
}

void AllocatorModel::check_figures() {
  alloc::Figures figures;
  require(alloc::read_figures(allocator(), &figures), "figures cannot be read", nullptr);
  const alloc::ClassSums sums = alloc::sum(figures.classes);
  const alloc::ClassFigures& counts = sums.counts;
  require(counts.in_use + counts.cached + counts.in_depots + counts.free == counts.blocks, "G1",
          nullptr, counts.blocks);
  require(counts.pages + figures.large.pages == figures.used_pages, "G3", nullptr);
  require(figures.resident_free_pages <= figures.free_pages, "G4", nullptr);
  const std::uint64_t live = counts.in_use + figures.large.blocks + figures.pools.live_blocks;
  require(live == blocks_.size(), "figures miss a block", nullptr, live);
  const std::uint64_t bytes =
      sums.in_use_bytes + figures.pools.live_bytes + figures.large.pages * alloc::kPageBytes;
  require(bytes == live_bytes_, "figures miss bytes", nullptr, bytes);
  require(figures.heaps == heaps_.size() + 1, "figures miss a heap", nullptr, figures.heaps);
}

void AllocatorModel::finish() {
  check_all();
  while (!heaps_.empty()) destroy_heap(0);
  while (!blocks_.empty()) free(blocks_.begin(), false);
  for (std::uint32_t i = 0; i < threads_.size(); ++i) {
    next_thread(i);
    end_thread();
  }
  allocator().trim();
  check_all();
  if (!allocator().backing().window.placed()) return;
  const alloc::PageHeap::Figures pages = allocator().backing().pages.figures();
  require(pages.in_use == alloc::PageCount{0}, "pages were lost", nullptr, pages.in_use.bytes());
}

}  // namespace mini::test
