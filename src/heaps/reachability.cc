#include "heaps/reachability.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "heaps/block_index.h"
#include "heaps/page_cache.h"

namespace mini::heaps {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10U;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
// Blocks that wait are read in the order of their addresses, neighbours with one call.
constexpr std::size_t kBatch = 4096;
constexpr std::uint64_t kMostGapBytes = 4096;  // between blocks that are read at once
constexpr std::uint64_t kPageBytes = 4096;

class Scan {
 public:
  Scan(const MemoryReader& memory, std::span<const LiveRange> blocks)
      : memory_(memory), index_(blocks), blocks_(blocks), buffer_(kBufferBytes) {
    result_.of_block.assign(blocks.size(), Reach::kLost);
    is_marked_.assign(blocks.size(), false);
  }

  Reachability run(const RootSet& roots) {
    mark_reachable(roots);
    find_indirect();
    break_rings();
    return std::move(result_);
  }

 private:
  void mark_reachable(const RootSet& roots) {
    for (const std::uint64_t word : roots.words) mark(word);
    for (const AddressRange& range : roots.ranges) {
      scan(range.begin.value, range.end.value, [this](std::uint64_t word) { mark(word); });
    }
    follow();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (is_marked_[i]) result_.of_block[i] = Reach::kReachable;
    }
  }

  /// Whatever a lost block other than itself points to is lost indirectly.
  void find_indirect() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (result_.of_block[i] == Reach::kReachable) continue;
      waiting_.push_back(static_cast<std::uint32_t>(i));
      if (waiting_.size() == kBatch) scan_waiting_for_indirect();
    }
    scan_waiting_for_indirect();
  }

  void scan_waiting_for_indirect() {
    scan_blocks(waiting_, [this](std::uint32_t from, std::uint64_t word) {
      const std::uint32_t to = index_.find(word);
      if (to == BlockIndex::kNone || to == from) return;
      Reach& reach = result_.of_block[to];
      if (reach == Reach::kLost) reach = Reach::kLostIndirectly;
    });
    waiting_.clear();
  }

  /// What no directly lost block leads to is in a ring, or behind one: its first block stands for
  /// the rest.
  void break_rings() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (result_.of_block[i] == Reach::kLost) mark_block(static_cast<std::uint32_t>(i));
    }
    follow();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (is_marked_[i]) continue;
      result_.of_block[i] = Reach::kLost;
      mark_block(static_cast<std::uint32_t>(i));
      follow();
    }
  }

  void mark(std::uint64_t word) {
    const std::uint32_t block = index_.find(word);
    if (block != BlockIndex::kNone) mark_block(block);
  }

  void mark_block(std::uint32_t block) {
    if (is_marked_[block]) return;
    is_marked_[block] = true;
    waiting_.push_back(block);
  }

  void follow() {
    std::vector<std::uint32_t> batch;
    while (!waiting_.empty()) {
      const std::size_t count = std::min(waiting_.size(), kBatch);
      batch.assign(waiting_.end() - static_cast<std::ptrdiff_t>(count), waiting_.end());
      waiting_.resize(waiting_.size() - count);
      std::ranges::sort(batch);
      scan_blocks(batch, [this](std::uint32_t, std::uint64_t word) { mark(word); });
    }
  }

  /// apply(block, word) for each word of the blocks, which are in order.
  template <typename Apply>
  void scan_blocks(std::span<const std::uint32_t> batch, const Apply& apply) {
    for (std::size_t i = 0; i < batch.size();) {
      const std::uint64_t begin = blocks_[batch[i]].begin;
      std::uint64_t end = index_.end_of(batch[i]);
      std::size_t next = i + 1;
      while (next < batch.size() && blocks_[batch[next]].begin - end <= kMostGapBytes &&
             index_.end_of(batch[next]) - begin <= kBufferBytes) {
        end = index_.end_of(batch[next++]);
      }
      if (next == i + 1 || !scan_together(batch.subspan(i, next - i), begin, end, apply)) {
        for (std::size_t one = i; one < next; ++one) scan_block(batch[one], apply);
      }
      i = next;
    }
  }

  template <typename Apply>
  void scan_block(std::uint32_t block, const Apply& apply) {
    scan(blocks_[block].begin, index_.end_of(block),
         [&](std::uint64_t word) { apply(block, word); });
  }

  /// False where not all of it can be read with one call.
  template <typename Apply>
  bool scan_together(std::span<const std::uint32_t> batch, std::uint64_t begin, std::uint64_t end,
                     const Apply& apply) {
    const std::span<std::byte> out = std::span(buffer_).first(end - begin);
    if (memory_.read(Address{begin}, out) != out.size()) return false;
    for (const std::uint32_t block : batch) {
      const std::uint64_t from = blocks_[block].begin;
      const std::uint64_t to = index_.end_of(block);
      result_.scanned_bytes += to - from;
      scan_words(from, out.subspan(from - begin, to - from),
                 [&](std::uint64_t word) { apply(block, word); });
    }
    return true;
  }

  /// apply(word) for each aligned word in [begin, end) that can be read.
  template <typename Apply>
  void scan(std::uint64_t begin, std::uint64_t end, const Apply& apply) {
    std::uint64_t step = kPageBytes;  // behind what cannot be read
    while (begin < end) {
      const std::size_t wanted = std::min<std::uint64_t>(end - begin, buffer_.size());
      const std::span<std::byte> out = std::span(buffer_).first(wanted);
      const std::size_t count = memory_.read(Address{begin}, out);
      scan_words(begin, out.first(count), apply);
      result_.scanned_bytes += count;
      begin += count;
      if (count != 0) step = kPageBytes;
      if (count == wanted) continue;
      // On behind the page that cannot be read; further each time, since a target may say that a
      // block is as large as all memory.
      const std::uint64_t skipped = std::min(step - begin % kPageBytes, end - begin);
      result_.unreadable_bytes += skipped;
      begin += skipped;
      step *= 2;
    }
  }

  template <typename Apply>
  static void scan_words(std::uint64_t address, std::span<const std::byte> bytes,
                         const Apply& apply) {
    std::size_t at = (kWordBytes - address % kWordBytes) % kWordBytes;
    for (; at + kWordBytes <= bytes.size(); at += kWordBytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, sizeof word);
      apply(word);
    }
  }

  const MemoryReader& memory_;
  BlockIndex index_;
  std::span<const LiveRange> blocks_;
  std::vector<std::byte> buffer_;
  std::vector<bool> is_marked_;         // reachable; later, reachable from what is lost directly
  std::vector<std::uint32_t> waiting_;  // marked, and not scanned yet
  Reachability result_;
};

}  // namespace

Reachability find_reachable(const MemoryReader& memory, std::span<const LiveRange> blocks,
                            const RootSet& roots) {
  // A long list is followed block by block: neighbours are in the cache then. The process is
  // stopped.
  const PageCache cache(memory);
  return Scan(cache, blocks).run(roots);
}

}  // namespace mini::heaps
