// libminimalloc's published state with a small heap, made by hand: an ELF header, the note, the
// table and all that it leads to, in one piece of memory of which a test can damage any byte.
//
// The heap has 16 pages: a slab of 64-byte blocks (page 0), a large block (pages 1 to 3), free
// pages (4 to 7), a slab of the program's own heap (8), a page of somebody else's (9), and free
// pages again.
#pragma once

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <minimalloc/layout.h>
#include <string_view>
#include <vector>

#include "base/memory_reader.h"

namespace mini::heaps {

class FakeMinimalloc final : public MemoryReader {
 public:
  static constexpr std::uint64_t kBase = 0x10000;
  static constexpr std::uint64_t kHeap = 0x400000;
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint64_t kPages = 16;
  static constexpr std::uint64_t kBlock = 64;
  static constexpr std::uint64_t kBlocks = 64;  // of the slab

  // Where things are, from kBase on.
  static constexpr std::uint64_t kNote = 0x80;
  static constexpr std::uint64_t kTable = 0x100;
  static constexpr std::uint64_t kVariables = 0x400;
  static constexpr std::uint64_t kClasses = 0x480;
  static constexpr std::uint64_t kHeapGroups = 0x4a0;
  static constexpr std::uint64_t kHeapGroup = 0x4c0;
  static constexpr std::uint64_t kPool = 0x500;
  static constexpr std::uint64_t kPoolMemory = 0x520;
  static constexpr std::uint64_t kPoolBytes = 0xe0;
  static constexpr std::uint64_t kMainHeap = 0x600;
  static constexpr std::uint64_t kOwnHeap = 0x700;
  static constexpr std::uint64_t kDepot = 0x800;
  static constexpr std::uint64_t kCache = 0x840;
  static constexpr std::uint64_t kSlots = 0x8c0;
  static constexpr std::uint64_t kPageMap = 0x900;
  static constexpr std::uint64_t kSpanIds = 0x940;
  static constexpr std::uint64_t kExtents = 0x9a0;
  static constexpr std::uint64_t kSpans = 0xa00;
  static constexpr std::uint64_t kBytes = 0xc00;

  // Offsets in structures.
  static constexpr std::uint64_t kStackTop = kCache + 32 + 16;  // of class 1
  static constexpr std::uint64_t kSpanBytes = 64;
  static constexpr std::uint64_t kFreeBits = 24;

  FakeMinimalloc() : bytes_(kBytes) {
    make_file();
    make_table();
    make_heaps();
    make_cache();
    make_pages();
    make_pool();
  }

  static Address image() { return {kBase}; }
  static Address block(std::uint64_t number) { return {kHeap + number * kBlock}; }
  static std::vector<AddressRange> writable() {
    return {{{kBase}, {kBase + kBytes}}, {{kHeap}, {kHeap + kPages * kPage}}};
  }

  template <typename T>
  void put(std::uint64_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from.value < kBase || from.value >= kBase + kBytes) return 0;
    const std::uint64_t offset = from.value - kBase;
    const std::size_t count = std::min<std::uint64_t>(out.size(), kBytes - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  static minimalloc_address at(std::uint64_t offset) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the fake's
    return reinterpret_cast<const void*>(kBase + offset);
  }
  /// The variables, eight bytes each.
  static constexpr std::uint64_t variable(std::uint64_t number) { return kVariables + 8 * number; }

  void make_file() {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    put(0, header);
    put(sizeof header, Elf64_Phdr{.p_type = PT_NOTE,
                                  .p_flags = PF_R,
                                  .p_offset = kNote,
                                  .p_vaddr = kNote,
                                  .p_paddr = kNote,
                                  .p_filesz = 40,
                                  .p_memsz = 40,
                                  .p_align = 4});
    put(kNote, Elf64_Nhdr{.n_namesz = sizeof MINIMALLOC_NOTE_NAME,
                          .n_descsz = sizeof(minimalloc_note),
                          .n_type = MINIMALLOC_NOTE_TYPE});
    constexpr std::string_view kName = MINIMALLOC_NOTE_NAME;
    std::memcpy(bytes_.data() + kNote + 12, kName.data(), kName.size());
    constexpr std::uint64_t kDescriptor = kNote + 12 + 12;
    put(kDescriptor, minimalloc_note{.version = MINIMALLOC_LAYOUT_VERSION,
                                     .reserved = 0,
                                     .layout_offset = kTable - (kDescriptor + 8)});
  }

  void make_table() {
    minimalloc_layout_table table{};
    table.magic = MINIMALLOC_LAYOUT_MAGIC;
    table.version = MINIMALLOC_LAYOUT_VERSION;
    table.size = sizeof table;
    std::memcpy(table.library_version, "1.2", 3);
    table.page_shift = 12;
    table.extent_pages = 64;
    table.class_count = 2;
    table.slab_most = 64;
    table.class_block_bytes = at(kClasses);
    table.class_stride = 8;
    const minimalloc_address* const ends[] = {
        &table.heap_begin,   &table.heap_bytes, &table.page_map,   &table.span_ids,
        &table.spans,        &table.span_end,   &table.extents,    &table.first_cache,
        &table.heap_end,     &table.used_pages, &table.free_pages, &table.resident_free_pages,
        &table.thread_count, &table.lost_count};
    const std::uint64_t values[] = {kHeap,
                                    kPages * kPage,
                                    kBase + kPageMap,
                                    kBase + kSpanIds,
                                    kBase + kSpans,
                                    4,
                                    kBase + kExtents,
                                    kBase + kCache,
                                    2,
                                    5,
                                    10,
                                    0,
                                    1,
                                    0};
    for (std::size_t i = 0; i < std::size(values); ++i) {
      *const_cast<minimalloc_address*>(ends[i]) = at(variable(i));
      put(variable(i), values[i]);
    }
    table.main_heap = at(kMainHeap);
    table.heap_groups = at(kHeapGroups);
    table.heap_group_count = 1;
    table.heap_group_slots = 4;
    table.pools[0] = at(kPool);
    table.pool_count = 1;
    table.page_code_large = 120;
    table.page_code_own_heap = 128;
    table.span = {.stride = kSpanBytes,
                  .kind = 0,
                  .first_page = 4,
                  .page_count = 8,
                  .heap = 12,
                  .size_class = 14,
                  .block_count = 16,
                  .free_bits = kFreeBits};
    table.cache = {.next = 0,
                   .sequence = 8,
                   .thread = 16,
                   .stacks = 32,
                   .stack_stride = 16,
                   .stack_top = 0,
                   .stack_limit = 8,
                   .capacities = 96};
    table.heap = {.id = 0,
                  .name = 8,
                  .name_size = 16,
                  .large_blocks = 24,
                  .large_pages = 32,
                  .bins = 40,
                  .bin_stride = 48,
                  .depot = 0,
                  .depot_count = 8,
                  .slabs = 12,
                  .pages = 16,
                  .blocks = 24,
                  .blocks_out = 32};
    table.extent = {.stride = 24, .used = 0, .resident = 8, .dirty = 16};
    table.pool = {.memory = 0, .size = 8};
    put(kTable, table);
    put(kClasses + 8, std::uint32_t{kBlock});
  }

  void make_heap(std::uint64_t at, std::uint16_t number, std::uint64_t blocks_out) {
    put(at, number);
    const std::uint64_t bin = at + 40 + 48;
    put(bin + 12, std::uint32_t{1});
    put(bin + 16, std::uint32_t{1});
    put(bin + 24, kBlocks);
    put(bin + 32, blocks_out);
  }

  void make_heaps() {
    put(kHeapGroups, kBase + kHeapGroup);
    put(kHeapGroup + 8, kBase + kOwnHeap);
    make_heap(kMainHeap, 0, 48);
    put(kMainHeap + 24, std::uint64_t{1});
    put(kMainHeap + 32, std::uint32_t{3});
    const std::uint64_t bin = kMainHeap + 40 + 48;
    put(bin, kBase + kDepot);
    put(bin + 8, std::uint32_t{2});
    put(kDepot, block(4).value);
    put(kDepot + 8, block(5).value);
    make_heap(kOwnHeap, 1, 1);
    std::memcpy(bytes_.data() + kOwnHeap + 8, "own", 3);
  }

  /// Blocks 0 to 2 are in it.
  void make_cache() {
    put(kCache + 8, std::uint32_t{2});
    put(kCache + 16, std::uint64_t{0x7000});
    put(kStackTop, kBase + kSlots + 24);
    put(kStackTop + 8, kBase + kSlots + 64);
    put(kCache + 96 + 2, std::uint16_t{8});
    for (std::uint64_t i = 0; i < 3; ++i) put(kSlots + 8 * i, block(i).value);
  }

  void make_span(std::uint32_t id, std::uint8_t kind, std::uint32_t first, std::uint32_t count) {
    const std::uint64_t span = kSpans + id * kSpanBytes;
    put(span, kind);
    put(span + 4, first);
    put(span + 8, count);
    put(kSpanIds + 4 * first, id);
  }

  /// Of the first slab blocks 48 to 63 are free in it; of the own heap's, all but the first.
  void make_pages() {
    make_span(1, MINIMALLOC_SPAN_SLAB, 0, 1);
    make_span(2, MINIMALLOC_SPAN_LARGE, 1, 3);
    make_span(3, MINIMALLOC_SPAN_SLAB, 8, 1);
    for (const std::uint64_t id : {1U, 3U}) {
      put(kSpans + id * kSpanBytes + 12, static_cast<std::uint16_t>(id == 3 ? 1 : 0));
      put(kSpans + id * kSpanBytes + 14, std::uint8_t{1});
      put(kSpans + id * kSpanBytes + 16, static_cast<std::uint16_t>(kBlocks));
    }
    put(kSpans + kSpanBytes + kFreeBits, ~std::uint64_t{0} << 48U);
    put(kSpans + 3 * kSpanBytes + kFreeBits, ~std::uint64_t{1});
    put(kPageMap, std::uint16_t{1});
    put(kPageMap + 2, std::uint16_t{120});
    put(kPageMap + 16, std::uint16_t{128 + 1});
    put(kExtents, std::uint64_t{0b11'0000'1111});
  }

  /// A block of 32 bytes that is live, and one of 16 that was freed.
  void make_pool() {
    put(kPool, kBase + kPoolMemory);
    put(kPool + 8, kPoolBytes);
    put(kPoolMemory + 8, std::uint64_t{48U | MINIMALLOC_POOL_IN_USE});
    put(kPoolMemory + 56, std::uint64_t{32U | MINIMALLOC_POOL_FREED});
  }

  std::vector<std::byte> bytes_;
};

}  // namespace mini::heaps
