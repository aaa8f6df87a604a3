#include "layout_reader.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <sstream>
#include <sys/uio.h>

namespace mini::api {
namespace {

template <typename T>
T field(const std::byte* record, std::uint32_t offset) {
  T value;
  std::memcpy(&value, record + offset, sizeof value);
  return value;
}

// Where a note of ours says that the table is.
std::optional<std::uint64_t> layout_in_notes(const RemoteMemory& memory, std::uint64_t address,
                                             std::uint64_t bytes) {
  std::vector<std::byte> notes(bytes);
  if (!memory.read(address, notes.data(), bytes)) return std::nullopt;
  const auto align = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  std::uint64_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= bytes) {
    const auto header = field<Elf64_Nhdr>(notes.data() + at, 0);
    const std::uint64_t name = at + sizeof header;
    const std::uint64_t descriptor = name + align(header.n_namesz);
    if (descriptor + header.n_descsz > bytes) break;
    if (header.n_type == MINIMALLOC_NOTE_TYPE && header.n_namesz == sizeof MINIMALLOC_NOTE_NAME &&
        std::memcmp(notes.data() + name, MINIMALLOC_NOTE_NAME, header.n_namesz) == 0 &&
        header.n_descsz >= sizeof(minimalloc_note)) {
      const auto note = field<minimalloc_note>(notes.data() + descriptor, 0);
      const std::uint64_t offset_at =
          address + descriptor + offsetof(minimalloc_note, layout_offset);
      return offset_at + static_cast<std::uint64_t>(note.layout_offset);
    }
    at = descriptor + align(header.n_descsz);
  }
  return std::nullopt;
}

// The same for a mapped ELF file, by its headers.
std::optional<std::uint64_t> layout_in_file(const RemoteMemory& memory, std::uint64_t begin) {
  const auto header = memory.get<Elf64_Ehdr>(begin);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  memory.read(begin + header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr));
  std::uint64_t bias = begin;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD && segment.p_offset == 0) bias = begin - segment.p_vaddr;
  }
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE) continue;
    const auto found = layout_in_notes(memory, bias + segment.p_vaddr, segment.p_memsz);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

bool RemoteMemory::read(std::uint64_t address, void* out, std::size_t bytes) const {
  const iovec local{.iov_base = out, .iov_len = bytes};
  const iovec remote{.iov_base = reinterpret_cast<void*>(address), .iov_len = bytes};
  if (::process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes)) {
    return true;
  }
  std::memset(out, 0, bytes);
  return false;
}

std::optional<LayoutReader> LayoutReader::find(pid_t pid) {
  const RemoteMemory memory(pid);
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uint64_t begin = 0, offset = 0;
    char dash = 0;
    std::string end, permissions;
    words >> std::hex >> begin >> dash >> end >> permissions >> offset;
    if (offset != 0 || permissions[0] != 'r') continue;
    const auto at = layout_in_file(memory, begin);
    if (!at) continue;
    const auto table = memory.get<minimalloc_layout_table>(*at);
    if (table.magic != MINIMALLOC_LAYOUT_MAGIC || table.version != MINIMALLOC_LAYOUT_VERSION)
      continue;
    return LayoutReader(memory, table);
  }
  return std::nullopt;
}

LayoutReader::Record LayoutReader::read_record(std::uint64_t address, std::size_t bytes) const {
  Record record(bytes);
  memory_.read(address, record.data(), bytes);
  return record;
}

// The addresses of all heaps, malloc's first.
std::vector<std::uint64_t> LayoutReader::heaps() const {
  std::vector<std::uint64_t> found{reinterpret_cast<std::uint64_t>(table_.main_heap)};
  const auto end = get<std::uint32_t>(table_.heap_end);
  for (std::uint32_t id = 1; id < end; ++id) {
    const auto groups = reinterpret_cast<std::uint64_t>(table_.heap_groups);
    const auto group = memory_.get<std::uint64_t>(groups + 8 * (id / table_.heap_group_slots));
    const auto heap = memory_.get<std::uint64_t>(group + 8 * (id % table_.heap_group_slots));
    if (heap != 0) found.push_back(heap);
  }
  return found;
}

std::string LayoutReader::heap_name(std::uint32_t id) const {
  for (const std::uint64_t heap : heaps()) {
    if (memory_.get<std::uint16_t>(heap + table_.heap.id) != id) continue;
    const Record name = read_record(heap + table_.heap.name, table_.heap.name_size);
    return reinterpret_cast<const char*>(name.data());
  }
  return "";
}

// A cache whose sequence is odd, or not the same afterwards, is left for the next look at it.
void LayoutReader::add_cached(Addresses& out) const {
  const minimalloc_cache_layout& layout = table_.cache;
  const std::size_t bytes =
      std::max({layout.stacks + table_.class_count * layout.stack_stride,
                layout.capacities + 2 * table_.class_count, layout.next + 8, layout.sequence + 8});
  auto at = get<std::uint64_t>(table_.first_cache);
  for (std::uint32_t most = 100000; at != 0 && most != 0; --most) {
    const auto sequence = memory_.get<std::uint32_t>(at + layout.sequence);
    const Record cache = read_record(at, bytes);
    Addresses found;
    for (std::uint32_t i = 1; i < table_.class_count; ++i) {
      const std::byte* const stack = cache.data() + layout.stacks + i * layout.stack_stride;
      const auto top = field<std::uint64_t>(stack, layout.stack_top);
      const auto limit = field<std::uint64_t>(stack, layout.stack_limit);
      const auto capacity = field<std::uint16_t>(cache.data(), layout.capacities + 2 * i);
      const std::uint64_t bottom = limit - 8U * capacity;
      if (top < bottom || top > limit) continue;
      std::vector<std::uint64_t> blocks((top - bottom) / 8);
      if (!blocks.empty()) memory_.read(bottom, blocks.data(), 8 * blocks.size());
      found.insert(blocks.begin(), blocks.end());
    }
    const auto after = memory_.get<std::uint32_t>(at + layout.sequence);
    if (sequence % 2 == 0 && sequence == after) out.merge(found);
    at = field<std::uint64_t>(cache.data(), layout.next);
  }
}

void LayoutReader::add_depots(Addresses& out) const {
  for (const std::uint64_t heap : heaps()) {
    for (std::uint32_t i = 1; i < table_.class_count; ++i) {
      const std::uint64_t bin = heap + table_.heap.bins + std::uint64_t{i} * table_.heap.bin_stride;
      const auto count = memory_.get<std::uint32_t>(bin + table_.heap.depot_count);
      if (count == 0 || count > 65536) continue;
      std::vector<std::uint64_t> blocks(count);
      memory_.read(memory_.get<std::uint64_t>(bin + table_.heap.depot), blocks.data(), 8 * count);
      out.insert(blocks.begin(), blocks.end());
    }
  }
}

void LayoutReader::add_span(const std::byte* span, const Addresses& cached,
                            const Addresses& in_depots, std::vector<RemoteBlock>& out) const {
  const minimalloc_span_layout& layout = table_.span;
  const auto kind = field<std::uint8_t>(span, layout.kind);
  const auto pages = std::uint64_t{field<std::uint32_t>(span, layout.page_count)};
  if (kind == MINIMALLOC_SPAN_NONE || pages == 0) return;
  const auto first = std::uint64_t{field<std::uint32_t>(span, layout.first_page)};
  const std::uint64_t begin = get<std::uint64_t>(table_.heap_begin) + (first << table_.page_shift);
  RemoteBlock block{.address = begin,
                    .usable_bytes = pages << table_.page_shift,
                    .heap = field<std::uint16_t>(span, layout.heap)};
  if (kind != MINIMALLOC_SPAN_SLAB) {
    // A record that is being written, or was freed, counts only once the page map says so.
    const auto code = memory_.get<std::uint16_t>(get<std::uint64_t>(table_.page_map) + 2 * first);
    if ((code & 0xff) == table_.page_code_large) out.push_back(block);
    return;
  }
  block.size_class = field<std::uint8_t>(span, layout.size_class);
  block.usable_bytes =
      memory_.get<std::uint32_t>(reinterpret_cast<std::uint64_t>(table_.class_block_bytes) +
                                 std::uint64_t{block.size_class} * table_.class_stride);
  const auto count = field<std::uint16_t>(span, layout.block_count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto word = field<std::uint64_t>(span, layout.free_bits + i / 64 * 8);
    block.address = begin + i * block.usable_bytes;
    block.state = (word >> (i % 64) & 1) != 0         ? RemoteBlock::State::kFree
                  : cached.contains(block.address)    ? RemoteBlock::State::kCached
                  : in_depots.contains(block.address) ? RemoteBlock::State::kInDepot
                                                      : RemoteBlock::State::kLive;
    out.push_back(block);
  }
}

void LayoutReader::add_pools(std::vector<RemoteBlock>& out) const {
  for (std::uint32_t i = 0; i < table_.pool_count; ++i) {
    const auto pool = reinterpret_cast<std::uint64_t>(table_.pools[i]);
    const auto memory = memory_.get<std::uint64_t>(pool + table_.pool.memory);
    const auto size = memory_.get<std::uint64_t>(pool + table_.pool.size);
    const Record bytes = read_record(memory, size);
    for (std::uint64_t at = 16; at < size;) {
      const auto header = field<std::uint64_t>(bytes.data(), static_cast<std::uint32_t>(at - 8));
      if (header == 0) break;
      const std::uint64_t distance = header & ~std::uint64_t{15};
      out.push_back({.address = memory + at,
                     .usable_bytes = distance - 8,
                     .state = (header & 15) == MINIMALLOC_POOL_IN_USE ? RemoteBlock::State::kLive
                                                                      : RemoteBlock::State::kFree});
      at += distance;
    }
  }
}

std::uint32_t LayoutReader::pages_on_shelves() const {
  std::uint32_t pages = 0;
  for (std::uint32_t i = 0; i < table_.shelf_count; ++i) {
    pages +=
        memory_.get<std::uint32_t>(reinterpret_cast<std::uint64_t>(table_.shelves) +
                                   std::uint64_t{i} * table_.shelf.stride + table_.shelf.pages);
  }
  return pages;
}

std::uint32_t LayoutReader::pages_of_kind(std::uint8_t kind) const {
  const auto end = get<std::uint32_t>(table_.span_end);
  const Record records =
      read_record(get<std::uint64_t>(table_.spans), std::size_t{end} * table_.span.stride);
  std::uint32_t pages = 0;
  for (std::uint32_t id = 1; id < end; ++id) {
    const std::byte* const span = records.data() + std::size_t{id} * table_.span.stride;
    if (field<std::uint8_t>(span, table_.span.kind) != kind) continue;
    pages += field<std::uint32_t>(span, table_.span.page_count);
  }
  return pages;
}

// Caches are read before the slabs and after them: a block that goes from one to the other
// meanwhile is in at least one of the three.
std::vector<RemoteBlock> LayoutReader::blocks() const {
  Addresses cached, in_depots;
  add_cached(cached);
  add_depots(in_depots);
  const auto end = get<std::uint32_t>(table_.span_end);
  const auto spans = get<std::uint64_t>(table_.spans);
  const Record records = read_record(spans, std::size_t{end} * table_.span.stride);
  add_cached(cached);
  add_depots(in_depots);
  std::vector<RemoteBlock> found;
  for (std::uint32_t id = 1; id < end; ++id) {
    add_span(records.data() + std::size_t{id} * table_.span.stride, cached, in_depots, found);
  }
  add_pools(found);
  return found;
}

}  // namespace mini::api
