// docs/minimalloc-layout.md, "Reading it", steps 1 and 2.
#include "heaps/minimalloc_layout.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <fmt/format.h>
#include <vector>

#include "base/elf_image.h"
#include "base/text.h"

namespace mini::heaps {
namespace {

constexpr std::uint64_t kMostNoteBytes = 1 << 16;
constexpr std::uint64_t kMostStructBytes = 1 << 20;  // of a cache or a heap
// What the table had in version 1.0; an older library's ends there.
constexpr std::size_t kLeastTableBytes = offsetof(minimalloc_layout_table, minor_version);

template <typename T>
T object_in(std::span<const std::byte> bytes, std::size_t offset) {
  T object;
  std::memcpy(&object, bytes.data() + offset, sizeof object);
  return object;
}

/// Where a note of libminimalloc's says that the table is.
std::optional<Address> table_in_notes(const MemoryReader& memory, Address at, std::uint64_t size) {
  std::vector<std::byte> notes(std::min(size, kMostNoteBytes));
  notes.resize(memory.read(at, notes));
  const auto padded = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  for (std::uint64_t offset = 0; offset + sizeof(Elf64_Nhdr) <= notes.size();) {
    const auto header = object_in<Elf64_Nhdr>(notes, offset);
    const std::uint64_t name = offset + sizeof header;
    const std::uint64_t descriptor = name + padded(header.n_namesz);
    if (descriptor + header.n_descsz > notes.size()) break;
    if (header.n_type == MINIMALLOC_NOTE_TYPE && header.n_namesz == sizeof MINIMALLOC_NOTE_NAME &&
        std::memcmp(notes.data() + name, MINIMALLOC_NOTE_NAME, header.n_namesz) == 0 &&
        header.n_descsz >= sizeof(minimalloc_note)) {
      const auto note = object_in<minimalloc_note>(notes, descriptor);
      return at + Bytes{descriptor + offsetof(minimalloc_note, layout_offset) +
                        static_cast<std::uint64_t>(note.layout_offset)};
    }
    offset = descriptor + padded(header.n_descsz);
  }
  return std::nullopt;
}

std::optional<Address> find_table(const MemoryReader& memory, Address image) {
  const auto file = read_elf_image(memory, image);
  if (!file) return std::nullopt;
  for (const Elf64_Phdr& segment : file->segments) {
    if (segment.p_type != PT_NOTE) continue;
    const auto found = table_in_notes(memory, {file->bias + segment.p_vaddr}, segment.p_memsz);
    if (found) return found;
  }
  return std::nullopt;
}

bool between(std::uint64_t least, std::uint64_t value, std::uint64_t most) {
  return least <= value && value <= most;
}

/// Whether a field of `size` bytes is inside a structure of `whole`.
bool fits(std::uint64_t offset, std::uint64_t size, std::uint64_t whole) {
  return offset <= whole && size <= whole - offset;
}

bool is_sound(const minimalloc_span_layout& span, std::uint32_t slab_most) {
  const std::uint64_t whole = span.stride;
  const std::uint64_t bits = (std::uint64_t{slab_most} + 63) / 64 * 8;
  return between(1, whole, 1 << 16) && fits(span.kind, 1, whole) &&
         fits(span.first_page, 4, whole) && fits(span.page_count, 4, whole) &&
         fits(span.heap, 2, whole) && fits(span.size_class, 1, whole) &&
         fits(span.block_count, 2, whole) && fits(span.free_bits, bits, whole);
}

bool is_sound(const minimalloc_cache_layout& cache, std::uint64_t classes) {
  constexpr std::uint64_t kMost = kMostStructBytes;
  return fits(cache.next, 8, kMost) && fits(cache.sequence, 4, kMost) &&
         fits(cache.thread, 8, kMost) && fits(cache.capacities, classes * 2, kMost) &&
         between(16, cache.stack_stride, 1 << 12) &&
         fits(cache.stacks, classes * cache.stack_stride, kMost) &&
         fits(cache.stack_top, 8, cache.stack_stride) &&
         fits(cache.stack_limit, 8, cache.stack_stride);
}

bool is_sound(const minimalloc_heap_layout& heap, std::uint64_t classes) {
  constexpr std::uint64_t kMost = kMostStructBytes;
  const std::uint64_t bin = heap.bin_stride;
  return fits(heap.id, 2, kMost) && fits(heap.name, heap.name_size, kMost) &&
         heap.name_size <= 256 && fits(heap.large_blocks, 8, kMost) &&
         fits(heap.large_pages, 4, kMost) && between(1, bin, 1 << 13) &&
         fits(heap.bins, classes * bin, kMost) && fits(heap.depot, 8, bin) &&
         fits(heap.depot_count, 4, bin) && fits(heap.slabs, 4, bin) && fits(heap.pages, 4, bin) &&
         fits(heap.blocks, 8, bin) && fits(heap.blocks_out, 8, bin);
}

bool is_sound(const minimalloc_shelf_layout& shelf) {
  const std::uint64_t whole = shelf.stride;
  return whole <= 1 << 16 && fits(shelf.pages, 4, whole) && fits(shelf.taken_blocks, 8, whole) &&
         fits(shelf.taken_pages, 4, whole);
}

bool is_sound(const minimalloc_layout_table& table) {
  const std::uint64_t extent_bits = (std::uint64_t{table.extent_pages} + 63) / 64 * 8;
  return between(12, table.page_shift, 21) && between(1, table.extent_pages, 1 << 16) &&
         between(1, table.class_count, 255) && between(1, table.slab_most, 1 << 15) &&
         between(4, table.class_stride, 1 << 12) && between(1, table.heap_group_count, 1 << 16) &&
         between(1, table.heap_group_slots, 1 << 16) && table.pool_count <= 4 &&
         is_sound(table.span, table.slab_most) && is_sound(table.cache, table.class_count) &&
         is_sound(table.heap, table.class_count) && between(1, table.extent.stride, 1 << 20) &&
         fits(table.extent.used, extent_bits, table.extent.stride) &&
         fits(table.pool.memory, 8, 1 << 12) && fits(table.pool.size, 8, 1 << 12) &&
         table.shelf_count <= 1 << 10 && (table.shelf_count == 0 || is_sound(table.shelf));
}

/// As much of the table as the library has; the fields that it does not have are 0. nullopt where
/// it is cut short.
std::optional<minimalloc_layout_table> read_table(const MemoryReader& memory, Address at,
                                                  std::uint64_t size) {
  minimalloc_layout_table table{};
  const auto bytes = std::as_writable_bytes(std::span(&table, 1))
                         .first(std::min<std::uint64_t>(size, sizeof table));
  if (bytes.size() < kLeastTableBytes || memory.read(at, bytes) != bytes.size()) {
    return std::nullopt;
  }
  return table;
}

/// What every version of the table begins with.
struct TableHead {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;
};
static_assert(sizeof(TableHead) == offsetof(minimalloc_layout_table, library_version));

}  // namespace

std::string MinimallocLayout::version() const {
  const char* const begin = table.library_version;
  const std::string text(begin, ::strnlen(begin, sizeof table.library_version));
  const bool is_plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
  return is_plain ? text : "";
}

MinimallocSearch locate_minimalloc(const MemoryReader& memory, Address image) {
  const auto at = find_table(memory, image);
  if (!at) return {};
  const auto head = memory.read_object<TableHead>(*at);
  const auto refuse = [&](std::string_view why) {
    return MinimallocSearch{
        .layout = {},
        .refused = fmt::format("libminimalloc's layout table at {} {}", format_address(*at), why)};
  };
  if (!head || head->magic != MINIMALLOC_LAYOUT_MAGIC) return refuse("does not begin as one");
  if (head->version != MINIMALLOC_LAYOUT_VERSION) {
    return refuse(fmt::format("has version {}, and this heapspy knows {}", head->version,
                              MINIMALLOC_LAYOUT_VERSION));
  }
  const auto table = read_table(memory, *at, head->size);
  if (!table || !is_sound(*table)) return refuse("makes no sense");
  return {.layout = MinimallocLayout{.at = *at, .table = *table}, .refused = ""};
}

}  // namespace mini::heaps
