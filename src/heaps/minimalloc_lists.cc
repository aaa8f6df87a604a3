// docs/minimalloc-layout.md, "Reading it", steps 3 and 4: heaps, thread caches, depots.
#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/text.h"
#include "heaps/minimalloc_decoder.h"

namespace mini::heaps {
namespace {

constexpr std::uint32_t kMostHeaps = 1 << 16;
constexpr std::uint64_t kMostHeapBytes = std::uint64_t{1} << 30;  // of all heaps' records
constexpr std::uint64_t kMostInDepot = 1 << 16;
constexpr std::uint64_t kMostListed = 1 << 24;  // in caches and depots together
constexpr std::uint64_t kMostCachesWithoutThreads = 1 << 16;

// ── Heaps ────────────────────────────────────────────────────────────────────────────────────────

/// The name that its program gave a heap, fit to be shown.
std::string plain_name(std::span<const std::byte> bytes) {
  std::string name;
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c == 0) break;
    name += c >= ' ' && c <= '~' ? c : '?';
  }
  return name;
}

Bytes heap_record_bytes(const minimalloc_layout_table& table) {
  const minimalloc_heap_layout& heap = table.heap;
  return {std::max({std::uint64_t{heap.id} + 2, std::uint64_t{heap.name} + heap.name_size,
                    std::uint64_t{heap.large_blocks} + 8, std::uint64_t{heap.large_pages} + 4,
                    heap.bins + std::uint64_t{table.class_count} * heap.bin_stride})};
}

/// The bin of a size class in a heap's record.
std::span<const std::byte> bin_of(const minimalloc_layout_table& table,
                                  std::span<const std::byte> record, std::uint32_t size_class) {
  return record.subspan(table.heap.bins + std::size_t{size_class} * table.heap.bin_stride,
                        table.heap.bin_stride);
}

void add_counts(MinimallocDecoder& decoder, std::span<const std::byte> record,
                model::HeapArena& arena) {
  const ShelfCounts shelves = arena.is_main ? decoder.shelves : ShelfCounts{};
  const minimalloc_heap_layout& layout = decoder.table.heap;
  SpanCounts& counted = decoder.counted;
  const std::uint32_t large_pages =
      field_of<std::uint32_t>(record, layout.large_pages) + shelves.taken_pages;
  std::uint64_t pages = large_pages;
  counted.large_blocks +=
      field_of<std::uint64_t>(record, layout.large_blocks) + shelves.taken_blocks;
  counted.large_pages += large_pages;
  for (std::uint32_t i = 1; i < decoder.table.class_count; ++i) {
    const auto bin = bin_of(decoder.table, record, i);
    counted.slabs += field_of<std::uint32_t>(bin, layout.slabs);
    counted.slab_pages += field_of<std::uint32_t>(bin, layout.pages);
    counted.blocks += field_of<std::uint64_t>(bin, layout.blocks);
    counted.blocks_out += field_of<std::uint64_t>(bin, layout.blocks_out);
    pages += field_of<std::uint32_t>(bin, layout.pages);
  }
  arena.system = {pages << decoder.table.page_shift};
  arena.most_system = arena.system;
}

void add_heap(MinimallocDecoder& decoder, Address at, std::uint32_t number) {
  std::vector<std::byte> record(heap_record_bytes(decoder.table).count);
  if (decoder.memory.read(at, record) != record.size()) {
    decoder.damages.add(at, fmt::format("heap {}", number), "unreadable", "a heap");
    return;
  }
  const minimalloc_heap_layout& layout = decoder.table.heap;
  const auto id = field_of<std::uint16_t>(record, layout.id);
  if (id != number) {
    decoder.damages.add(at + Bytes{layout.id}, fmt::format("number of heap {}", number),
                        fmt::format("{}", id), fmt::format("{}", number));
  }
  model::HeapArena arena;
  arena.address = at;
  arena.is_main = number == 0;
  arena.name = plain_name(std::span(record).subspan(layout.name, layout.name_size));
  if (number == 0) arena.name = "malloc's heap";
  if (arena.name.empty()) arena.name = fmt::format("heap {}", number);
  add_counts(decoder, record, arena);
  decoder.arena_of_heap[number] = static_cast<std::uint32_t>(decoder.heap.arenas.size());
  decoder.heap.arenas.push_back(std::move(arena));
}

// ── Caches ───────────────────────────────────────────────────────────────────────────────────────

class CacheReader {
 public:
  /// `room`: for so many blocks.
  CacheReader(MinimallocDecoder& decoder, std::uint64_t room)
      : decoder_(decoder), layout_(decoder.table.cache), room_(room) {
    const std::uint64_t classes = decoder.table.class_count;
    record_.resize(std::max({std::uint64_t{layout_.next} + 8, std::uint64_t{layout_.sequence} + 4,
                             std::uint64_t{layout_.thread} + 8, layout_.capacities + 2 * classes,
                             layout_.stacks + classes * layout_.stack_stride}));
  }

  /// Returns the room that is left.
  std::uint64_t read_all() {
    const std::size_t threads = decoder_.target.threads.size();
    const std::uint64_t most = threads == 0 ? kMostCachesWithoutThreads : 2 * threads + 64;
    Address at{decoder_.variable<std::uint64_t>(decoder_.table.first_cache)};
    std::set<Address> seen;
    while (at != Address{} && !is_full_) {
      if (seen.size() == most || !seen.insert(at).second) {
        decoder_.damages.add(at, "list of thread caches",
                             seen.size() == most ? "longer than the process has threads" : "a loop",
                             "an end");
        break;
      }
      at = read(at);
    }
    return room_;
  }

 private:
  std::uint32_t sequence_at(Address cache) const {
    return decoder_.memory.read_object<std::uint32_t>(cache + Bytes{layout_.sequence}).value_or(1);
  }

  /// Returns where the next one is.
  Address read(Address at) {
    const std::uint32_t sequence = sequence_at(at);
    if (decoder_.memory.read(at, record_) != record_.size()) {
      decoder_.damages.add(at, "thread cache", "unreadable", "a cache, or the end of their list");
      return {};
    }
    const std::uint32_t number = cache_number(at);
    std::vector<ListedBlock> blocks;
    for (std::uint32_t i = 1; i < decoder_.table.class_count; ++i) read_stack(number, i, blocks);
    if (sequence % 2 == 0 && sequence_at(at) == sequence) {
      decoder_.listed.insert(decoder_.listed.end(), blocks.begin(), blocks.end());
    } else if (decoder_.target.is_still) {
      ++decoder_.heap.caches_not_found;
    }
    return {field_of<std::uint64_t>(record_, layout_.next)};
  }

  std::uint32_t cache_number(Address at) {
    std::vector<model::HeapCache>& caches = decoder_.heap.caches;
    for (std::size_t i = 0; i < caches.size(); ++i) {
      if (caches[i].address == at) return static_cast<std::uint32_t>(i);
    }
    const Address pointer{field_of<std::uint64_t>(record_, layout_.thread)};
    model::HeapCache cache;
    cache.address = at;
    for (const HeapThread& thread : decoder_.target.threads) {
      if (thread.thread_pointer == pointer) cache.thread_id = thread.id;
    }
    caches.push_back(cache);
    return static_cast<std::uint32_t>(caches.size() - 1);
  }

  void read_stack(std::uint32_t cache, std::uint32_t size_class, std::vector<ListedBlock>& out) {
    const std::uint64_t stack = layout_.stacks + std::uint64_t{size_class} * layout_.stack_stride;
    const auto top = field_of<std::uint64_t>(record_, stack + layout_.stack_top);
    const auto limit = field_of<std::uint64_t>(record_, stack + layout_.stack_limit);
    const auto slots = field_of<std::uint16_t>(record_, layout_.capacities + 2 * size_class);
    const std::uint64_t bottom = limit - 8 * std::uint64_t{slots};
    if (bottom > limit || top < bottom || top > limit || (top - bottom) % 8 != 0) {
      decoder_.damages.add(decoder_.heap.caches[cache].address + Bytes{stack + layout_.stack_top},
                           fmt::format("top of class {}'s stack in a thread's cache", size_class),
                           format_address({top}),
                           fmt::format("{} slots up to {}", slots, format_address({limit})));
      return;
    }
    const std::uint64_t count = (top - bottom) / 8;
    if (count > room_) {
      decoder_.damages.add(decoder_.heap.caches[cache].address + Bytes{stack + layout_.stack_top},
                           fmt::format("class {}'s stack in a thread's cache", size_class),
                           fmt::format("{} blocks", count),
                           "no more blocks in caches than the heap can have");
      is_full_ = true;
      return;
    }
    room_ -= count;
    words_.resize(count);
    const auto bytes = std::as_writable_bytes(std::span(words_));
    if (decoder_.memory.read({bottom}, bytes) != bytes.size()) {
      decoder_.damages.add({bottom},
                           fmt::format("class {}'s stack in a thread's cache", size_class),
                           "unreadable", fmt::format("{} blocks", words_.size()));
      return;
    }
    for (const std::uint64_t word : words_) out.push_back({.block = {word}, .cache = cache});
  }

  MinimallocDecoder& decoder_;
  const minimalloc_cache_layout& layout_;
  std::uint64_t room_;
  bool is_full_ = false;  // what comes after it is not read
  std::vector<std::byte> record_;
  std::vector<std::uint64_t> words_;
};

// ── Depots ───────────────────────────────────────────────────────────────────────────────────────

void read_depots(MinimallocDecoder& decoder, std::uint64_t room) {
  const minimalloc_heap_layout& layout = decoder.table.heap;
  std::vector<std::byte> record(heap_record_bytes(decoder.table).count);
  std::vector<std::uint64_t> words;
  for (const model::HeapArena& arena : decoder.heap.arenas) {
    if (decoder.memory.read(arena.address, record) != record.size()) continue;
    for (std::uint32_t i = 1; i < decoder.table.class_count; ++i) {
      const auto bin = bin_of(decoder.table, record, i);
      const auto count = field_of<std::uint32_t>(bin, layout.depot_count);
      const Address depot{field_of<std::uint64_t>(bin, layout.depot)};
      if (count == 0) continue;
      words.resize(count <= std::min(kMostInDepot, room) ? count : 0);
      const auto bytes = std::as_writable_bytes(std::span(words));
      if (words.empty() || decoder.memory.read(depot, bytes) != bytes.size()) {
        decoder.damages.add(arena.address, fmt::format("depot of class {} in {}", i, arena.name),
                            fmt::format("{} blocks at {}", count, format_address(depot)),
                            "as many addresses");
        continue;
      }
      room -= count;
      for (const std::uint64_t word : words) decoder.listed.push_back({.block = {word}});
    }
  }
}

}  // namespace

void read_shelves(MinimallocDecoder& decoder) {
  const minimalloc_layout_table& table = decoder.table;
  const minimalloc_shelf_layout& layout = table.shelf;
  if (table.shelf_count == 0) return;  // before version 1.2; the layout says nothing then
  std::vector<std::byte> record(layout.stride);
  for (std::uint32_t i = 0; i < table.shelf_count; ++i) {
    const Address at = address_of(table.shelves) + Bytes{std::uint64_t{i} * layout.stride};
    if (decoder.memory.read(at, record) != record.size()) {
      decoder.damages.add(at, fmt::format("shelf {}", i), "unreadable", "a shelf");
      return;
    }
    decoder.shelves.taken_blocks += field_of<std::uint64_t>(record, layout.taken_blocks);
    decoder.shelves.taken_pages += field_of<std::uint32_t>(record, layout.taken_pages);
    decoder.shelves.pages += field_of<std::uint32_t>(record, layout.pages);
  }
}

void read_heaps(MinimallocDecoder& decoder) {
  const minimalloc_layout_table& table = decoder.table;
  add_heap(decoder, address_of(table.main_heap), 0);
  if (decoder.heap.arenas.empty()) {  // what lies in no heap needs one all the same
    model::HeapArena& arena = decoder.heap.arenas.emplace_back();
    arena.name = "malloc's heap";
    arena.is_main = true;
  }
  const auto end = std::min(decoder.variable<std::uint32_t>(table.heap_end), kMostHeaps);
  std::set<Address> seen;
  std::uint64_t room = kMostHeapBytes / heap_record_bytes(table).count;
  for (std::uint32_t number = 1; number < end; ++number) {
    if (number / table.heap_group_slots >= table.heap_group_count) break;
    const auto group = decoder.pages.read_object<std::uint64_t>(
        address_of(table.heap_groups) + Bytes{8 * std::uint64_t{number / table.heap_group_slots}});
    if (!group || *group == 0) continue;
    const auto at = decoder.pages.read_object<std::uint64_t>(
        Address{*group} + Bytes{8 * std::uint64_t{number % table.heap_group_slots}});
    if (!at || *at == 0 || !seen.insert({*at}).second) continue;
    if (room-- == 0) break;
    add_heap(decoder, {*at}, number);
  }
}

void read_lists(MinimallocDecoder& decoder) {
  // No more blocks are free than there is room for in the heap, of which an adversary may say
  // anything.
  const std::uint64_t most = kMostListed - std::min(kMostListed, decoder.listed.size());
  const std::uint64_t room = std::min(most, decoder.window.size().count / 16);
  read_depots(decoder, CacheReader(decoder, room).read_all());
}

void finish_lists(MinimallocDecoder& decoder) {
  std::vector<ListedBlock>& listed = decoder.listed;
  std::ranges::stable_sort(listed, {}, &ListedBlock::block);
  for (std::size_t i = 1; decoder.target.is_still && i < listed.size(); ++i) {
    if (listed[i].block != listed[i - 1].block) continue;
    decoder.damages.add(listed[i].block,
                        fmt::format("free block at {}", format_address(listed[i].block)),
                        "kept twice", "in one cache or depot, once");
  }
  const auto [first, last] = std::ranges::unique(listed, {}, &ListedBlock::block);
  listed.erase(first, last);
}

}  // namespace mini::heaps
